package bucket

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// MarkName is the name, in the metadata of an object, of the mark that it was uploaded with.
const MarkName = "Azulejowriter"

// ContentRange reads the header of that name of a reply: the place of its first byte and the size of the whole.
func ContentRange(text string) (off, size int64, err error) {
	bad := fmt.Errorf("a reply with the content range %q", text)
	text, ok := strings.CutPrefix(text, "bytes ")
	span, total, ok2 := strings.Cut(text, "/")
	first, _, ok3 := strings.Cut(span, "-")
	if !ok || !ok2 || !ok3 {
		return 0, 0, bad
	}
	off, err1 := strconv.ParseInt(first, 10, 64)
	size, err2 := strconv.ParseInt(total, 10, 64)
	if err1 != nil || err2 != nil || off < 0 || size < off {
		return 0, 0, bad
	}
	return off, size, nil
}

// RetryAfter is how long a reply asks to wait before the request is repeated.
func RetryAfter(h http.Header) time.Duration {
	n, err := strconv.ParseUint(h.Get("Retry-After"), 10, 16)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}
