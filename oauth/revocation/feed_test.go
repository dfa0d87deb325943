package revocation

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAFeedOnTheWire(t *testing.T) {
	for _, tt := range []struct {
		name string
		feed Feed
		want string
	}{
		{"nothing new", Feed{Next: "17"}, `{"next":"17","revocations":[],"more":false}`},
		{"two, and more", Feed{Next: "19", More: true, Revocations: []Revocation{
			{ID: "grant-1", Expires: time.Unix(1935656430, 0)},
			{ID: "jti-1", Expires: time.Unix(1935656430, 1)},
		}}, `{"next":"19","revocations":[{"id":"grant-1","exp":1935656430},{"id":"jti-1","exp":1935656431}],"more":true}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := json.Marshal(tt.feed)
			if err != nil || string(got) != tt.want {
				t.Fatalf("got %s, %v; want %s", got, err, tt.want)
			}
			var read Feed
			if err := json.Unmarshal(got, &read); err != nil {
				t.Fatal(err)
			}
			again, err := json.Marshal(read)
			if err != nil || string(again) != tt.want {
				t.Errorf("again: %s, %v", again, err)
			}
		})
	}
}

func TestFeedsThatAFollowerCannotUseAreRefused(t *testing.T) {
	many := strings.Repeat(`{"id":"a","exp":1},`, MaxRevocations+1)
	for name, data := range map[string]string{
		"an array":               `[]`,
		"no cursor":              `{"revocations":[],"more":false}`,
		"an empty cursor":        `{"next":"","revocations":[]}`,
		"a cursor of 257 bytes":  `{"next":"` + strings.Repeat("1", 257) + `","revocations":[]}`,
		"a cursor as a number":   `{"next":1,"revocations":[]}`,
		"an empty id":            `{"next":"1","revocations":[{"id":"","exp":1}]}`,
		"no id":                  `{"next":"1","revocations":[{"exp":1}]}`,
		"an id of 257 bytes":     `{"next":"1","revocations":[{"id":"` + strings.Repeat("1", 257) + `","exp":1}]}`,
		"an expiry as text":      `{"next":"1","revocations":[{"id":"a","exp":"1"}]}`,
		"more than there may be": `{"next":"1","revocations":[` + strings.TrimSuffix(many, ",") + `]}`,
	} {
		f := Feed{Next: "before"}
		if err := json.Unmarshal([]byte(data), &f); err == nil || !cmp.Equal(f, Feed{Next: "before"}) {
			t.Errorf("%s: got %+v, %v", name, f, err)
		}
	}
}

func FuzzFeed(f *testing.F) {
	f.Add([]byte(`{"next":"17","revocations":[{"id":"a","exp":1935656430}],"more":true}`))
	f.Add([]byte(`{"next":"17","revocations":null}`))
	f.Add([]byte(`{"next":"1","revocations":[{"id":"a","exp":-9223372036854775808},{"id":"b","exp":9223372036854775807}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var feed Feed
		if json.Unmarshal(data, &feed) != nil {
			return
		}
		s := Set{Size: 10}
		if added := s.Add(feed.Revocations, now); len(added) > len(feed.Revocations) || s.Len() > 10 {
			t.Errorf("of %d revocations %d are new and %d remembered", len(feed.Revocations), len(added), s.Len())
		}
		encoded, err := json.Marshal(feed)
		if err != nil {
			t.Fatal(err)
		}
		var again Feed
		if err := json.Unmarshal(encoded, &again); err != nil {
			t.Fatalf("what was read is not written so that it can be read: %v", err)
		}
		if diff := cmp.Diff(feed, again); diff != "" {
			t.Errorf("it changed on the way:\n%s", diff)
		}
	})
}
