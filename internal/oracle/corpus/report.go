package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"azulejo/array"
	"azulejo/filter"
	"azulejo/format"
)

// The results a case can have.
const (
	statusOK          = "ok"
	statusUnsupported = "unsupported"
	statusFailed      = "failed"
)

// outcome is one case of report.json.
type outcome struct {
	Status  string `json:"status"`
	Feature string `json:"feature,omitempty"`
	Message string `json:"message,omitempty"`
}

// report is report.json together with the counts of the closing line.
type report struct {
	cases            map[string]outcome
	reads, readsDone int
}

// unsupported is the error for a feature of the corpus that is not built; its text is the feature's name.
type unsupported string

func (u unsupported) Error() string { return "not supported: " + string(u) }

// features maps what messages of the library say to names of features; the first match counts.
var features = []struct{ text, feature string }{
	{"xor", "xor"},
	{"scale_float", "float_scale"}, {"dictionary", "dictionary"},
}

// featureOf names the feature that an error says is not built; false when it says something else.
func featureOf(err error) (string, bool) {
	var u unsupported
	if errors.As(err, &u) {
		return string(u), true
	}
	if !errors.Is(err, array.ErrUnsupported) && !errors.Is(err, filter.ErrUnsupported) && !errors.Is(err, format.ErrUnsupported) && !errors.Is(err, format.ErrVersion) {
		return "", false
	}
	text := strings.ToLower(err.Error())
	for _, f := range features {
		if strings.Contains(text, f.text) {
			return f.feature, true
		}
	}
	return err.Error(), true
}

// add records the result of a case: the errors of its parts, of which a failure outweighs what is not supported.
func (r *report) add(name string, errs []error) {
	o := outcome{Status: statusOK}
	for _, err := range errs {
		feature, missing := featureOf(err)
		switch {
		case !missing:
			o = outcome{Status: statusFailed, Message: err.Error()}
		case o.Status == statusOK:
			o = outcome{Status: statusUnsupported, Feature: feature, Message: err.Error()}
		}
		if o.Status == statusFailed {
			break
		}
	}
	r.cases[name] = o
}

// write makes report.json in dir and prints what is not right, then the totals.
func (r *report) write(dir string, w io.Writer) error {
	raw, err := json.MarshalIndent(r.cases, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "report.json"), append(raw, '\n'), 0o644); err != nil {
		return err
	}
	done, missing, failed := 0, 0, 0
	for _, name := range sortedKeys(r.cases) {
		switch o := r.cases[name]; o.Status {
		case statusOK:
			done++
		case statusUnsupported:
			missing++
			fmt.Fprintf(w, "unsupported %s: %s\n", name, o.Feature)
		default:
			failed++
			fmt.Fprintf(w, "FAILED %s: %s\n", name, o.Message)
		}
	}
	fmt.Fprintf(w, "cases %d of %d, reads %d of %d, unsupported %d\n", done, len(r.cases), r.readsDone, r.reads, missing)
	if failed > 0 {
		return fmt.Errorf("%d cases failed", failed)
	}
	return nil
}
