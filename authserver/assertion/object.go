package assertion

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"
)

// maxDepth bounds how deep objects and arrays may nest.
const maxDepth = 32

var errObject = errors.New("it is not one JSON object in UTF-8 in which no name occurs twice")

// ParseObject reads one JSON object as encoding/json does into a map, but for what
// two readers may understand in two ways: it fails where a name occurs twice,
// however it is written (RFC 7519 §4), where the text is not UTF-8, and where
// anything follows. Names are compared byte for byte. Its error does not quote the
// data.
func ParseObject(data []byte) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	value, err := parseValue(decoder, 0)
	object, isObject := value.(map[string]any)
	if err != nil || !isObject || !utf8.Valid(data) {
		return nil, errObject
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errObject
	}
	return object, nil
}

func parseValue(decoder *json.Decoder, depth int) (any, error) {
	token, err := decoder.Token()
	if err != nil || depth > maxDepth {
		return nil, errObject
	}
	switch token {
	case json.Delim('{'):
		return parseMembers(decoder, depth)
	case json.Delim('['):
		return parseElements(decoder, depth)
	}
	return token, nil
}

func parseMembers(decoder *json.Decoder, depth int) (any, error) {
	object := make(map[string]any)
	for decoder.More() {
		token, err := decoder.Token()
		name, isName := token.(string)
		if _, twice := object[name]; err != nil || !isName || twice {
			return nil, errObject
		}
		if object[name], err = parseValue(decoder, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := decoder.Token() // the closing brace
	return object, err
}

func parseElements(decoder *json.Decoder, depth int) (any, error) {
	array := []any{}
	for decoder.More() {
		element, err := parseValue(decoder, depth+1)
		if err != nil {
			return nil, err
		}
		array = append(array, element)
	}
	_, err := decoder.Token() // the closing bracket
	return array, err
}
