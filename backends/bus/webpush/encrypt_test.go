package webpush

import (
	"crypto/ecdh"
	"encoding/base64"
	"testing"
)

// The example of RFC 8291 section 5 and appendix A.
func TestEncryptionOfTheSpecification(t *testing.T) {
	bytes := func(s string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	private := func(s string) *ecdh.PrivateKey {
		k, err := ecdh.P256().NewPrivateKey(bytes(s))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	b := &browser{private("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"), bytes("BTBZMqHH6r4Tts7J_aSIgg")}
	s := b.subscription("https://push.example/1")
	to, err := s.receiver()
	if err != nil {
		t.Fatal(err)
	}
	const text = "When I grow up, I want to be a watermelon"
	got, err := encrypt([]byte(text), to, private("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"), bytes("DGv6ra1nlYgDCS1FRnbzlw"))
	const want = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
	if err != nil || base64.RawURLEncoding.EncodeToString(got) != want {
		t.Errorf("got %s, %v", base64.RawURLEncoding.EncodeToString(got), err)
	}
	if plain, err := b.open(got); err != nil || plain != text {
		t.Errorf("opened %q, %v", plain, err)
	}
}

// A payload of the largest size makes a body of the largest size.
func TestBodiesFit(t *testing.T) {
	b := newBrowser(t)
	s := b.subscription("https://push.example/1")
	to, err := s.receiver()
	if err != nil {
		t.Fatal(err)
	}
	body, err := seal(make([]byte, maxPlain), to)
	if err != nil || len(body) != MaxBody {
		t.Errorf("%d bytes, %v", len(body), err)
	}
	if plain, err := b.open(body); err != nil || len(plain) != maxPlain {
		t.Errorf("opened %d bytes, %v", len(plain), err)
	}
}
