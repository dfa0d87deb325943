package eventstream

import "bytes"

// appendEvent appends the lines that are held, edited if they have data.
func (f *Filter) appendEvent(out []byte) ([]byte, error) {
	lines := f.raw[:f.start]
	if !f.holding {
		return append(out, lines...), nil
	}
	data := f.data[:len(f.data)-1]
	edited, err := f.Edit(f.event, data)
	if err != nil {
		return out, err
	}
	if len(edited) == len(data) && (len(data) == 0 || &edited[0] == &data[0]) {
		return append(out, lines...), nil
	}
	return appendEdited(out, lines, edited), nil
}

// appendEdited puts the new data in the place of the first line, which had data, and leaves
// the other lines with data out. All end in a line feed: a carriage return might meet the
// line feed of the blank line, which then were none.
func appendEdited(out, lines, edited []byte) []byte {
	for line := range bytes.SplitSeq(edited, []byte("\n")) {
		out = append(append(append(out, "data: "...), line...), '\n')
	}
	_, lines = cutLine(lines)
	for len(lines) > 0 {
		var line []byte
		line, lines = cutLine(lines)
		if field, _, _ := bytes.Cut(line, []byte(":")); string(field) != "data" {
			out = append(append(out, line...), '\n')
		}
	}
	return out
}

// cutLine takes the first line off, without its end.
func cutLine(lines []byte) (line, rest []byte) {
	end := bytes.IndexAny(lines, "\r\n")
	if end < 0 {
		return lines, nil
	}
	line, rest = lines[:end], lines[end+1:]
	if lines[end] == '\r' {
		rest = bytes.TrimPrefix(rest, []byte("\n"))
	}
	return line, rest
}
