package main

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// texts are what messages say besides their number: what is awkward in JSON,
// in XML, in UTF-8 and in lines, and of different lengths.
var texts = []string{
	"", "plain", `"quoted" and \ escaped`, "<xml a='b'>&amp;]]></xml>", "two\nlines\r\nand a tab\t", "ümläut 漢字 🙂",
	strings.Repeat("longer ", 30), "data: not an event\n\nid: 7", "\u007f\u0085", `{"n":1}`,
}

var encoded = func() (all [][]byte) {
	for _, text := range texts {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false) // as JavaScript does it
		if e.Encode(text) != nil {
			panic("texts are encodable")
		}
		all = append(all, bytes.TrimSpace(b.Bytes()))
	}
	return all
}()

// message returns the n-th message of a sender; n from 1.
func message(n uint64) []byte {
	text := encoded[n%uint64(len(encoded))]
	b := make([]byte, 0, len(text)+32)
	b = append(b, `{"n":`...)
	b = strconv.AppendUint(b, n, 10)
	b = append(b, `,"text":`...)
	b = append(b, text...)
	return append(b, '}')
}

// number returns which message this is; ok is false if not every byte of it is
// as it was sent.
func number(m []byte) (n uint64, ok bool) {
	digits, _, _ := bytes.Cut(bytes.TrimPrefix(m, []byte(`{"n":`)), []byte{','})
	n, err := strconv.ParseUint(string(digits), 10, 64)
	return n, err == nil && bytes.Equal(m, message(n))
}

// greeting is the first message of a client's session: who it is. Nothing is
// counted before, as a creation whose answer is lost leaves a session behind.
type greeting struct {
	Client *int `json:"client"`
}

func greet(client int) []byte {
	b, err := json.Marshal(greeting{&client})
	if err != nil {
		panic(err)
	}
	return b
}
