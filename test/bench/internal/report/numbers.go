package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Median is the middle one of the values, the upper one where there are two, and
// zero where there are none.
func Median[T cmp.Ordered](values []T) T {
	var none T
	if len(values) == 0 {
		return none
	}
	ordered := slices.Sorted(slices.Values(values))
	return ordered[len(ordered)/2]
}

// Count is a number as people read it: "12,345".
func Count(n float64) string {
	digits := strconv.FormatFloat(n, 'f', 0, 64)
	for at := len(digits) - 3; at > 0 && digits[at-1] != '-'; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

// Time is a duration with three digits: "1.23 ms".
func Time(d time.Duration) string {
	switch {
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= time.Millisecond:
		return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'g', 3, 64) + " ms"
	}
	return strconv.FormatFloat(float64(d)/float64(time.Microsecond), 'f', 0, 64) + " µs"
}

// Ratio has two digits behind the point.
func Ratio(r float64) string { return strconv.FormatFloat(r, 'f', 2, 64) }

// Percent is a share without digits behind the point.
func Percent(share float64) string { return strconv.FormatFloat(100*share, 'f', 0, 64) + " %" }
