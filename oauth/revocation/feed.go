package revocation

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// The names of the request's parameters.
const (
	// ParameterAfter is the cursor; absent at first.
	ParameterAfter = "after"
	// ParameterWait is how long the server may hold the request, in seconds.
	ParameterWait = "wait"
)

// Bounds on a feed.
const (
	// MaxSize is that of an answer, in bytes.
	MaxSize = 1 << 20
	// MaxRevocations is how many a feed may hold.
	MaxRevocations = 1000
	// MaxText is the length of an id or a cursor, in bytes.
	MaxText = 256
	// MaxWait is the longest that a server is asked to hold a request.
	MaxWait = 60 * time.Second
)

// maxSecond is beyond all clocks, and within what a time.Time can be compared at.
const maxSecond = 1 << 40

// Revocation is a grant, or a token without a grant, that ended before its time.
type Revocation struct {
	// ID is a grant's id or a token's "jti".
	ID string
	// Expires is when no token that it concerns is accepted any more, with a
	// resolution of one second: later rather than earlier.
	Expires time.Time
}

// Feed is one answer.
type Feed struct {
	// Next is the cursor to ask with next.
	Next string
	// Revocations are those behind the cursor that was asked with, in order.
	Revocations []Revocation
	// More says that there is more already.
	More bool
}

type wireFeed struct {
	Next        string           `json:"next"`
	Revocations []wireRevocation `json:"revocations"`
	More        bool             `json:"more"`
}

type wireRevocation struct {
	ID      string `json:"id"`
	Expires int64  `json:"exp"`
}

// MarshalJSON writes the wire form.
func (f Feed) MarshalJSON() ([]byte, error) {
	w := wireFeed{Next: f.Next, Revocations: make([]wireRevocation, 0, len(f.Revocations)), More: f.More}
	for _, r := range f.Revocations {
		w.Revocations = append(w.Revocations, wireRevocation{r.ID, secondAfter(r.Expires)})
	}
	return json.Marshal(w)
}

// secondAfter is the first whole second that is not before t.
func secondAfter(t time.Time) int64 {
	if t.Nanosecond() == 0 {
		return t.Unix()
	}
	return t.Unix() + 1
}

// UnmarshalJSON reads the wire form. It refuses a feed beyond the bounds and one that
// says less than a follower needs. Members that it does not know are passed over.
func (f *Feed) UnmarshalJSON(data []byte) error {
	var w wireFeed
	if err := json.Unmarshal(data, &w); err != nil {
		return errors.New("the revocations are not of the feed's shape")
	}
	switch {
	case w.Next == "", len(w.Next) > MaxText:
		return fmt.Errorf("the feed's cursor has %d bytes; it must have between 1 and %d", len(w.Next), MaxText)
	case len(w.Revocations) > MaxRevocations:
		return fmt.Errorf("the feed holds %d revocations; it may hold %d", len(w.Revocations), MaxRevocations)
	}
	read := Feed{Next: w.Next, More: w.More}
	for _, r := range w.Revocations {
		if r.ID == "" || len(r.ID) > MaxText {
			return fmt.Errorf("a revocation's id has %d bytes; it must have between 1 and %d", len(r.ID), MaxText)
		}
		read.Revocations = append(read.Revocations, Revocation{ID: r.ID, Expires: time.Unix(min(max(r.Expires, 0), maxSecond), 0).UTC()})
	}
	*f = read
	return nil
}
