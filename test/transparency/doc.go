// Package transparency proves that a caller who may do everything cannot tell the
// sidecar from the MCP server behind it.
//
// Each test asks one MCP server twice, straight and through the sidecar's real
// program, and demands the same of both: the official conformance suite every
// check, hand-made requests every byte of the answer, streams every event before
// the next one is written. What differs by design is named where two sides are
// compared: headers of one hop, Date, CORS, and the headers that tell the MCP
// server who calls.
package transparency
