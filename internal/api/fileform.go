package api

import (
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"

	"azulejo/internal/web"
)

// formText is how long the fields of a form beside the file may be together, in bytes.
const formText = 64 << 10

// uploadForm takes a file that is a part of a form, as a new array. How long it is at most is the length of the request; the
// fields that say where it goes come before it.
func (a *API) uploadForm(k fileKind) web.Handler {
	return func(w http.ResponseWriter, r *web.Request) error {
		form, err := r.MultipartReader()
		if err != nil {
			return fmt.Errorf("%w: send a form of type multipart/form-data with the file as input_file", errMediaType)
		}
		if r.ContentLength < 0 {
			return fmt.Errorf("%w: the length of the form must be told (Content-Length); what is longer than can be told so is sent to /v2", web.ErrBadRequest)
		}
		fields := map[string]string{}
		part, err := nextFile(form, fields)
		if err != nil {
			return err
		}
		in := &incoming{fileKind: k, body: part, atMost: uint64(r.ContentLength), atEnd: func() error { return atEnd(form) }}
		if err := errors.Join(in.setName(part.FileName()), in.setType(part.Header.Get("Content-Type"))); err != nil {
			return err
		}
		if in.asset, err = formAsset(r, r.Param("namespace"), fields["output_uri"], fields["name"], in.name); err != nil {
			return err
		}
		return a.store(w, r, in)
	}
}

// nextFile reads the fields of a form up to the file.
func nextFile(form *multipart.Reader, fields map[string]string) (*multipart.Part, error) {
	for room := int64(formText); ; {
		part, err := form.NextPart()
		if err == io.EOF {
			return nil, fmt.Errorf("%w: the form has no input_file", web.ErrBadRequest)
		}
		if err != nil {
			return nil, formError(err)
		}
		if part.FormName() == "input_file" {
			return part, nil
		}
		text, err := io.ReadAll(io.LimitReader(part, room+1))
		if err != nil {
			return nil, formError(err)
		}
		if room -= int64(len(text)); room < 0 {
			return nil, fmt.Errorf("%w: the fields of the form have more than %d bytes", web.ErrBadRequest, formText)
		}
		fields[part.FormName()] = string(text)
	}
}

// atEnd reports an error unless the file was the last part of a form: what follows would come too late.
func atEnd(form *multipart.Reader) error {
	part, err := form.NextPart()
	if err == io.EOF {
		return nil
	}
	if err != nil {
		return formError(err)
	}
	return fmt.Errorf("%w: the field %q comes after input_file; name and output_uri must come before it", web.ErrBadRequest, part.FormName())
}

func formError(err error) error {
	return fmt.Errorf("%w: the form is not complete: %w", web.ErrBadRequest, err)
}
