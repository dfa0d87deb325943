package jsonrpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds on one message. Methods and names end up in logs and metrics.
const (
	maxMethod  = 256
	maxName    = 8 << 10
	maxMembers = 128
	// maxArguments is how many arguments are named.
	maxArguments = 64
	// maxArgumentName is where the name of one is cut off.
	maxArgumentName = 128
)

// Message is one JSON-RPC message.
type Message struct {
	// Method is empty for a response to a request of the server's.
	Method string
	// ID is nil for notifications. It is JSON text: a string, a number or null.
	ID json.RawMessage
	// Name, URI and TaskID are params.name, params.uri and params.taskId where
	// they are strings.
	Name, URI, TaskID string

	// Subscriptions are the URIs of params.notifications.resourceSubscriptions of
	// subscriptions/listen.
	Subscriptions []string

	// arguments is params.arguments as it came; nil where absent.
	arguments []byte
}

// Target is what the method acts on: params.name of tools/call and prompts/get,
// params.uri of resources/read, resources/subscribe and resources/unsubscribe,
// params.taskId of tasks/*; else empty, as it is where the message lacks it.
func (m *Message) Target() string {
	switch targetOf(m.Method) {
	case paramName:
		return m.Name
	case paramURI:
		return m.URI
	case paramTaskID:
		return m.TaskID
	default:
		return ""
	}
}

// ArgumentNames are the names of a call's arguments, in order, cut to 64 names of 128
// bytes; nil where it has none. It does not look at their values.
func (m *Message) ArgumentNames() []string {
	if len(m.arguments) == 0 || m.arguments[0] != '{' {
		return nil
	}
	var names []string
	c := &cursor{data: m.arguments}
	_ = c.members(func(key, _ []byte) error {
		if len(names) == maxArguments {
			return errEnough
		}
		names = append(names, string(key[:min(len(key), maxArgumentName)]))
		return nil
	})
	return names
}

var errEnough = errors.New("enough has been seen")

// MayBeCalled reports whether an Mcp-Name header with this value mirrors the
// body. Methods that we know have one answer; those of an extension may mirror
// any of the three.
func (m *Message) MayBeCalled(name string) bool {
	if targetOf(m.Method) != "" {
		return name == m.Target()
	}
	return name != "" && (name == m.Name || name == m.URI || name == m.TaskID)
}

const (
	paramName   = "name"
	paramURI    = "uri"
	paramTaskID = "taskId"

	paramArguments = "arguments"
)

func targetOf(method string) string {
	switch method {
	case "tools/call", "prompts/get":
		return paramName
	case "resources/read", "resources/subscribe", "resources/unsubscribe":
		return paramURI
	}
	if strings.HasPrefix(method, "tasks/") {
		return paramTaskID
	}
	return ""
}

// members are the top-level values of a message, nil where absent.
type members struct {
	version, id, method, params, result, failure []byte
}

func (m *members) slot(key []byte) *[]byte {
	switch string(key) {
	case "jsonrpc":
		return &m.version
	case "id":
		return &m.id
	case "method":
		return &m.method
	case "params":
		return &m.params
	case "result":
		return &m.result
	case "error":
		return &m.failure
	}
	return nil
}

// memberNames are those that a message may have.
var memberNames = []string{"jsonrpc", "id", "method", "params", "result", "error"}

func parseMessage(raw []byte) (Message, error) {
	if raw[0] != '{' {
		return Message{}, &Error{Code: InvalidRequest, Message: "a message is not a JSON object"}
	}
	var m members
	err := walk(raw, memberNames, func(key, value []byte) error {
		if slot := m.slot(key); slot != nil {
			*slot = value
		}
		return nil
	})
	if err != nil {
		return Message{}, &Error{Code: InvalidRequest, Message: err.Error()}
	}
	message, err := m.message()
	if e := (*Error)(nil); errors.As(err, &e) {
		e.ID = message.ID
	}
	return message, err
}

func (m *members) message() (Message, error) {
	var message Message
	if m.id != nil {
		if m.id[0] == '{' || m.id[0] == '[' || m.id[0] == 't' || m.id[0] == 'f' {
			return message, invalid("id is neither a string nor a number")
		}
		message.ID = m.id
	}
	if m.method == nil {
		if m.result == nil && m.failure == nil {
			return message, invalid("a message has neither a method nor a result")
		}
		return message, nil
	}
	method, ok := text(m.method)
	switch {
	case !ok, method == "":
		return message, invalid("method is not a string that names something")
	case len(method) > maxMethod, !plain(method):
		return message, invalid("method is too long or holds characters that no method has")
	case m.result != nil, m.failure != nil:
		return message, invalid("a message is both a request and a response")
	}
	message.Method = method
	return message, message.readParams(m.params)
}

func (m *Message) readParams(raw []byte) error {
	target := targetOf(m.Method)
	if m.Method == methodListen {
		return m.readSubscriptions(raw)
	}
	if raw != nil && raw[0] == '{' {
		if err := walk(raw, watched(target), m.readParam); err != nil {
			return &Error{Code: InvalidParams, Message: err.Error()}
		}
	}
	if raw != nil && raw[0] != '{' && target != "" {
		return &Error{Code: InvalidParams, Message: "params is not an object"}
	}
	return nil
}

// methodListen subscribes to resources as well, which resources/subscribe does by name.
const methodListen = "subscriptions/listen"

// maxSubscriptions bounds how many resources one message subscribes to.
const maxSubscriptions = 256

func (m *Message) readSubscriptions(raw []byte) error {
	refused := &Error{Code: InvalidParams, Message: "params.notifications.resourceSubscriptions is not a list of URIs, or is too long"}
	if raw == nil {
		return nil
	}
	if raw[0] != '{' {
		return refused
	}
	return inParams(walk(raw, []string{"notifications"}, func(key, value []byte) error {
		if string(key) != "notifications" {
			return nil
		}
		if value[0] != '{' {
			return refused
		}
		return walk(value, []string{"resourceSubscriptions"}, func(key, value []byte) error {
			if string(key) != "resourceSubscriptions" {
				return nil
			}
			if value[0] != '[' {
				return refused
			}
			return (&cursor{data: value}).elements(func(raw []byte) error {
				uri, ok := text(raw)
				if !ok || len(uri) > maxName || !plain(uri) || len(m.Subscriptions) == maxSubscriptions {
					return refused
				}
				m.Subscriptions = append(m.Subscriptions, uri)
				return nil
			})
		})
	}))
}

// inParams words an error of walk.
func inParams(err error) error {
	if e := (*Error)(nil); err == nil || errors.As(err, &e) {
		return err
	}
	return &Error{Code: InvalidParams, Message: err.Error()}
}

// watched are the keys of params that a message of this target must not have in
// another case.
func watched(target string) []string {
	switch target {
	case paramName:
		return watchedName
	case paramURI:
		return watchedURI
	case paramTaskID:
		return watchedTaskID
	}
	return nil
}

var watchedName, watchedURI, watchedTaskID = []string{paramName}, []string{paramURI}, []string{paramTaskID}

func (m *Message) readParam(key, raw []byte) error {
	var into *string
	switch string(key) {
	case paramName:
		into = &m.Name
	case paramURI:
		into = &m.URI
	case paramTaskID:
		into = &m.TaskID
	case paramArguments:
		m.arguments = raw
		return nil
	default:
		return nil
	}
	value, ok := text(raw)
	watched := string(key) == targetOf(m.Method)
	switch {
	case !ok && watched:
		return fmt.Errorf("params.%s is not a string", key)
	case ok && (len(value) > maxName || !plain(value)) && watched:
		return fmt.Errorf("params.%s is too long or holds characters that no name has", key)
	}
	*into = value
	return nil
}

// walk visits the members of an object. It refuses a key twice, since parsers
// differ on which one wins, and a key that differs from one of ours by case
// alone, since some parsers do not tell them apart.
func walk(raw []byte, ours []string, visit func(key, value []byte) error) error {
	seen := make([][]byte, 0, 8)
	c := cursor{data: raw}
	return c.members(func(key, value []byte) error {
		for _, other := range seen {
			if bytes.Equal(key, other) {
				return errors.New("a key appears twice in one object")
			}
		}
		if len(seen) == maxMembers {
			return fmt.Errorf("an object has more than %d members", maxMembers)
		}
		for _, name := range ours {
			if string(key) != name && strings.EqualFold(string(key), name) {
				return fmt.Errorf("a key differs from %q by case alone", name)
			}
		}
		seen = append(seen, key)
		return visit(key, value)
	})
}

// plain refuses what parsers, logs or C strings would read in another way: control
// characters, and U+FFFD, as which an unpaired surrogate arrives here.
func plain(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r == utf8.RuneError || unicode.IsControl(r) })
}

func invalid(message string) *Error { return &Error{Code: InvalidRequest, Message: message} }
