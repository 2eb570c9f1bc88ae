package webpush

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
)

// MaxBody is the size of the largest body that each push service takes (RFC 8030
// section 7.2).
const MaxBody = 4096

const (
	saltSize   = 16
	publicSize = 65 // of an uncompressed point
	headerSize = saltSize + 4 + 1 + publicSize
	tagSize    = 16
	// maxPlain is what a body has room for, besides the delimiter.
	maxPlain = MaxBody - headerSize - tagSize - 1
)

// seal encrypts for a browser, with a key and a salt that are used once.
func seal(plain []byte, s *receiver) ([]byte, error) {
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	salt := make([]byte, saltSize)
	rand.Read(salt) // never fails
	return encrypt(plain, s, key, salt)
}

// encrypt makes the body of RFC 8291 section 4: one record of RFC 8188, the last.
func encrypt(plain []byte, to *receiver, key *ecdh.PrivateKey, salt []byte) ([]byte, error) {
	shared, err := key.ECDH(to.public)
	if err != nil {
		return nil, err
	}
	info := "WebPush: info\x00" + string(to.public.Bytes()) + string(key.PublicKey().Bytes())
	secret, err := hkdf.Key(sha256.New, shared, to.auth, info, 32)
	if err != nil {
		return nil, err
	}
	aead, nonce, err := contentKeys(secret, salt)
	if err != nil {
		return nil, err
	}
	b := append(make([]byte, 0, headerSize+len(plain)+1+tagSize), salt...)
	b = binary.BigEndian.AppendUint32(b, MaxBody)
	b = append(append(b, publicSize), key.PublicKey().Bytes()...)
	record := append(append(make([]byte, 0, len(plain)+1), plain...), 2) // 2: the last one
	return aead.Seal(b, nonce, record, nil), nil
}

// contentKeys are those of RFC 8188 section 2.2 and 2.3, for the first record.
func contentKeys(secret, salt []byte) (cipher.AEAD, []byte, error) {
	key, err := hkdf.Key(sha256.New, secret, salt, "Content-Encoding: aes128gcm\x00", 16)
	if err != nil {
		return nil, nil, err
	}
	nonce, err := hkdf.Key(sha256.New, secret, salt, "Content-Encoding: nonce\x00", 12)
	if err != nil {
		return nil, nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, nil, err
	}
	aead, err := cipher.NewGCM(block)
	return aead, nonce, err
}
