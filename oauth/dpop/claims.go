package dpop

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"time"
)

// maxText bounds "jti" and "nonce", in bytes: they are remembered or verified.
const maxText = 256

// maxSeconds is beyond all clocks, and within what a time.Time can hold.
const maxSeconds = 1 << 40

// claims are a proof's, read and not yet compared with anything.
type claims struct {
	id, method, url  string
	tokenHash, nonce string
	issuedAt         time.Time
}

// readClaims is check 3 of RFC 9449 §4.3: every claim is there, once, and of its
// type.
func readClaims(payload []byte) (*claims, error) {
	members, ok := readObject(payload)
	if !ok {
		return nil, ErrMalformed
	}
	c := &claims{
		id: members.text("jti"), method: members.text("htm"), url: members.text("htu"),
		tokenHash: members.text("ath"), nonce: members.text("nonce"),
	}
	seconds := math.NaN()
	if json.Unmarshal(members["iat"], &seconds) != nil || !(math.Abs(seconds) <= maxSeconds) {
		return nil, ErrMalformed
	}
	whole, part := math.Modf(seconds)
	c.issuedAt = time.Unix(int64(whole), int64(part*float64(time.Second))).UTC()
	switch {
	case c.id == "", len(c.id) > maxText, c.method == "", c.url == "":
		return nil, ErrMalformed
	case members.has("ath") && c.tokenHash == "", members.has("nonce") && c.nonce == "", len(c.nonce) > maxText:
		return nil, ErrMalformed
	}
	return c, nil
}

// object is a JSON object whose members' names are matched byte for byte, unlike
// those of a struct.
type object map[string]json.RawMessage

// readObject refuses everything that two programs could read in two ways: a member
// that is there twice, text behind the object.
func readObject(data []byte) (object, bool) {
	d := json.NewDecoder(bytes.NewReader(data))
	if begin, err := d.Token(); err != nil || begin != json.Delim('{') {
		return nil, false
	}
	members := object{}
	for d.More() {
		token, err := d.Token()
		name, ok := token.(string)
		if err != nil || !ok || members.has(name) {
			return nil, false
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return nil, false
		}
		members[name] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, false
	}
	_, err := d.Token()
	return members, err == io.EOF
}

func (o object) has(name string) bool {
	_, ok := o[name]
	return ok
}

func (o object) hasAny(names ...string) bool {
	for _, name := range names {
		if o.has(name) {
			return true
		}
	}
	return false
}

// text is the member's string, empty where it is absent or something else.
func (o object) text(name string) string {
	var text string
	if json.Unmarshal(o[name], &text) != nil {
		return ""
	}
	return text
}
