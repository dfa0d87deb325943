package sidecar

import (
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/mcpauth/mcpauth/sidecar/eventstream"
	"github.com/mcpauth/mcpauth/sidecar/relay"
)

// respondInspected passes an answer on that is looked at.
func (x *exchange) respondInspected(res *relay.Response, in *inspection) {
	stream, inJSON := in.mediaType(res.Header.Values("Content-Type"))
	switch coding := strings.Join(res.Header.Values("Content-Encoding"), ","); {
	case res.StatusCode > 299, !stream && (in.cut == nil || !inJSON && !in.certain):
		x.respondAsIs(res, nil)
	case coding != "" && coding != "identity":
		x.uncuttable("the MCP server compresses a list although it was asked not to")
	case stream:
		x.w.Header().Del("Content-Length")
		limit := maxEvent
		if in.certain {
			limit = maxList
		}
		x.respondAsIs(res, &eventstream.Filter{Edit: in.edit, Limit: limit, Strict: in.certain})
	default:
		x.respondCut(res, in, inJSON)
	}
}

// mediaType says how an answer is to be read. Clients are more lenient than any parser of
// media types: what is not an event stream to all of them is read as JSON, where a list is
// certain to come, and inJSON says that somebody will.
func (in *inspection) mediaType(types []string) (stream, inJSON bool) {
	all := strings.ToLower(strings.Join(types, ","))
	essence, _, _ := strings.Cut(all, ";")
	mentioned := strings.Contains(all, eventStream)
	stream = strings.TrimSpace(essence) == eventStream || mentioned && !in.certain
	return stream, mentioned && !stream || strings.Contains(all, "json")
}

const eventStream = "text/event-stream"

// respondCut passes one answer on with its lists cut. What is no JSON holds no list, if it
// does not say that it is JSON.
func (x *exchange) respondCut(res *relay.Response, in *inspection, inJSON bool) {
	data, leave, err := x.readList(res)
	if leave != nil {
		defer leave()
	}
	switch {
	case errors.Is(err, errNoRoom):
		x.uncuttable("too many long lists are looked at")
		return
	case err != nil:
		x.broken(err)
		return
	case len(data) > maxList:
		x.uncuttable("the MCP server's list is longer than what can be looked at")
		return
	}
	cut := data
	if len(data) > 0 {
		if cut, err = in.cut.Apply(data); err != nil && inJSON && in.certain {
			x.uncuttable("the MCP server's list is not JSON")
			return
		} else if err != nil {
			cut = data
		}
	}
	if len(cut) != len(data) {
		x.w.Header()["Content-Length"] = []string{strconv.Itoa(len(cut))}
	}
	x.allowTime()
	x.w.WriteHeader(res.StatusCode)
	n, _ := x.w.Write(cut) // a client that is gone has nobody to be told
	x.written += int64(n)
	// The end is read, so that the connection can be used again.
	if _, err := res.Read(make([]byte, 1)); err != nil && !errors.Is(err, io.EOF) {
		x.options.Logger.Debug("the MCP server's answer has no end", "error", err)
	}
}

// errNoRoom says that there was no memory for a long list.
var errNoRoom = errors.New("there is no room")

// readList reads a list, or one byte more than may be. leave gives its room back; nil where
// it took none.
func (x *exchange) readList(res *relay.Response) (data []byte, leave func(), err error) {
	data, err = io.ReadAll(io.LimitReader(res, small))
	if err != nil || len(data) < small {
		return data, nil, err
	}
	if leave = x.lending.room(x.r.Context(), maxList); leave == nil {
		return nil, nil, errNoRoom
	}
	rest, err := io.ReadAll(io.LimitReader(res, maxList+1-small))
	data = append(data, rest...)
	return data, x.lending.shrink(leave, int64(len(data))), err
}

// uncuttable answers in the place of a list that must not pass as it is.
func (x *exchange) uncuttable(why string) {
	x.options.Logger.Warn("refused to pass a list on", "reason", why, "server", x.site.policy.Server)
	clear(x.w.Header())
	x.reply(x.upstreamFailed(why))
}
