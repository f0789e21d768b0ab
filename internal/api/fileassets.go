package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"azulejo/datatype"
	"azulejo/format"
	"azulejo/internal/access"
	"azulejo/internal/account"
	"azulejo/internal/catalog"
	"azulejo/internal/vault"
	"azulejo/internal/web"
	"azulejo/vfs"
)

const (
	onFile = "/v1/files/{namespace}/{file}"
	// anySize is the length of the longest file that is taken, as far as a request is concerned.
	anySize = 1 << 50
	// redirected marks the address that an upload was sent to.
	redirected = "redirected"
)

// fileOps are the rows of files that are kept as arrays (spec page cloud-api.md, sections 3 and 8; decision 131).
func (a *API) fileOps() []web.Operation {
	inSpace := func(id, path string, handle web.Handler) web.Operation {
		return web.Operation{ID: id, Method: http.MethodPost, Path: path, Action: access.ArrayCreate, Find: a.findNamespace, Handle: handle}
	}
	onOne := func(id, method, path string, handle web.Handler) web.Operation {
		return web.Operation{ID: id, Method: method, Path: path, Action: access.ArrayRead, Find: a.findFile, Handle: handle}
	}
	form := inSpace("uploadFileForm", "/v1/files/{namespace}/upload", a.uploadForm(asFile()))
	form.MaxBody = anySize
	getFile := onOne("getFile", http.MethodGet, "/v1"+onArray+"/query/get_file", a.download)
	getFile.Find = a.findArray
	return append(a.streamOps("File", "/v2/files/{namespace}/{array}/upload", asFile()),
		form, inSpace("createFile", "/v1/files/{namespace}", a.wrapFile), getFile,
		onOne("exportFile", http.MethodPost, onFile+"/export", a.exportFile), onOne("downloadFile", http.MethodGet, onFile+"/download", a.download))
}

// streamOps are the rows of an upload as the body of a request. Python's client asks with HEAD where to send it, and sends it
// nowhere unless it was redirected.
func (a *API) streamOps(name, path string, k fileKind) []web.Operation {
	row := func(id, method string, handle web.Handler) web.Operation {
		return web.Operation{ID: id + name, Method: method, Path: path, Action: access.ArrayCreate, Also: []access.Action{access.ArrayWrite},
			Refine: a.uploadAction, Find: a.findUpload, Handle: handle, MaxBody: anySize}
	}
	return []web.Operation{row("upload", http.MethodPost, a.uploadStream(k)), row("probeUpload", http.MethodHead, a.probeUpload)}
}

// findFile looks up the array of a path that names it a file.
func (a *API) findFile(r *web.Request) (access.Object, error) {
	return a.find(r, r.Param("file"), catalog.Array)
}

// uploadAction says whether an upload makes an array or a new version in one. An array that the caller may not see counts
// as absent.
func (a *API) uploadAction(r *web.Request) (access.Action, error) {
	found, err := a.lookup(r.Context(), r.Param("namespace"), r.Param("array"), catalog.Array)
	switch {
	case errors.Is(err, catalog.ErrNotFound), errors.Is(err, account.ErrNotFound), errors.Is(err, catalog.ErrInvalid):
		return access.ArrayCreate, nil
	case err != nil:
		return access.NoAction, err
	case found.Part() != "" || access.RightsOn(r.Subject, found.Object()) == 0:
		return access.ArrayCreate, nil
	}
	return access.ArrayWrite, nil
}

func (a *API) findUpload(r *web.Request) (access.Object, error) {
	if r.Action == access.ArrayWrite {
		return a.findArray(r)
	}
	return a.findNamespace(r)
}

// probeUpload sends the client to the same address with a mark, and there tells that it only takes uploads.
func (a *API) probeUpload(w http.ResponseWriter, r *web.Request) error {
	if r.Query().Has(redirected) {
		w.Header().Set("Allow", http.MethodPost)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return nil
	}
	scheme := "http"
	if r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
		scheme = "https"
	}
	query := url.Values{redirected: {"1"}}
	for name, values := range r.Query() {
		query[name] = values
	}
	w.Header().Set("Location", scheme+"://"+r.Host+r.URL.EscapedPath()+"?"+query.Encode())
	w.WriteHeader(http.StatusTemporaryRedirect)
	return nil
}

// fileKind is what a file is kept as.
type fileKind struct {
	fileType   string
	compressed bool
	mimeType   string // of all files of the kind; empty when each has its own
}

func asFile() fileKind { return fileKind{fileType: catalog.FileType} }

func asNotebook() fileKind {
	return fileKind{catalog.NotebookType, true, "application/x-ipynb+json"}
}

// incoming is a file that a request brings.
type incoming struct {
	fileKind
	asset    catalog.NewAsset
	body     io.Reader
	atMost   uint64
	exact    bool   // there must be just so many bytes
	name     string // its original name
	mimeType string // empty to tell it from the content
	atEnd    func() error
	nBytes   uint64
}

// content is what the vault stores of it.
func (in *incoming) content() vault.Content {
	return vault.Content{Body: uploadBody{in.body}, AtMost: in.atMost, Describe: func(n uint64, head []byte) ([]format.MetadataEntry, error) {
		if in.exact && n != in.atMost {
			return nil, fmt.Errorf("%w: %d bytes were announced and %d came", web.ErrBadRequest, in.atMost, n)
		}
		if in.atEnd != nil {
			if err := in.atEnd(); err != nil {
				return nil, err
			}
		}
		in.nBytes = n
		if in.fileKind.mimeType != "" {
			in.mimeType = in.fileKind.mimeType
			return textEntries("format", "json", "type", in.fileType), nil
		}
		if in.mimeType == "" {
			in.mimeType = http.DetectContentType(head)
		}
		extension := path.Ext(in.name)
		return textEntries("file_extension", strings.TrimPrefix(extension, "."), "mime_encoding", "binary", "mime_type", in.mimeType,
			"original_file_name", strings.TrimSuffix(in.name, extension)), nil
	}}
}

// textEntries are entries of metadata that are texts, of keys and values in turn.
func textEntries(texts ...string) []format.MetadataEntry {
	var list []format.MetadataEntry
	for i := 0; i < len(texts); i += 2 {
		list = append(list, format.MetadataEntry{Key: texts[i], Type: datatype.StringUTF8, Num: uint32(len(texts[i+1])), Value: []byte(texts[i+1])})
	}
	return list
}

// uploadBody tells the failures of a client's connection from those of the storage.
type uploadBody struct{ io.Reader }

// Read implements io.Reader.
func (b uploadBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%w: the file ended early: %w", web.ErrBadRequest, err)
	}
	return n, err
}

// setName checks and keeps the original name of a file.
func (in *incoming) setName(name string) error {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	if len(name) > 1024 || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return fmt.Errorf("%w: a file's name is UTF-8 text without control characters of at most 1024 bytes", web.ErrBadRequest)
	}
	in.name = name
	return nil
}

// setType checks and keeps the type of a file's content.
func (in *incoming) setType(text string) error {
	if text != "" {
		if _, _, err := mime.ParseMediaType(text); err != nil || len(text) > 1024 {
			return fmt.Errorf("%w: %q is not the type of a file, such as text/plain", web.ErrBadRequest, text)
		}
	}
	in.mimeType = text
	return nil
}

// uploaded is the published answer to an upload.
type uploaded struct {
	ID        string `json:"id"`
	OutputURI string `json:"output_uri"`
	FileName  string `json:"file_name"`
}

// store keeps a file as a new array, and answers.
func (a *API) store(w http.ResponseWriter, r *web.Request, in *incoming) error {
	in.asset.Info.FileType = in.fileType
	made, err := a.vault.CreateFile(r.Context(), r.Grant, in.asset, vault.FileSchema(in.atMost, in.compressed), in.content())
	if err != nil {
		return err
	}
	return a.stored(w, r, in, made)
}

// stored notes in the catalogue what is stored in an array now, and answers.
func (a *API) stored(w http.ResponseWriter, r *web.Request, in *incoming, x catalog.Asset) error {
	g, err := access.Allowed(r.Subject, access.ArrayWrite, x.Object())
	if err != nil {
		return err
	}
	r.Found = x
	properties := map[string]string{}
	for name, value := range x.Info.FileProperties {
		properties[name] = value
	}
	properties["size"], properties["mime_type"] = strconv.FormatUint(in.nBytes, 10), in.mimeType
	if err := a.catalog.SetFile(context.WithoutCancel(r.Context()), g, x, in.fileType, properties); err != nil {
		return err
	}
	a.recogniseNew(r, x)
	return web.JSON(w, r, http.StatusCreated, uploaded{x.ID, tiledbScheme + x.Namespace + "/" + x.Name, x.Name})
}

// uploadStream takes a file that is the body of the request, as a new array or as a new version in one.
func (a *API) uploadStream(k fileKind) web.Handler {
	return func(w http.ResponseWriter, r *web.Request) error {
		q := r.Query()
		if !q.Has("filesize") {
			return fmt.Errorf("%w: filesize is missing, the length of the file in bytes", web.ErrBadRequest)
		}
		size, err := r.Number("filesize", 0)
		if err != nil {
			return err
		}
		in := &incoming{fileKind: k, body: r.Body, atMost: size, exact: true}
		mimeType := q.Get("mimetype")
		if mimeType == "" {
			mimeType = r.Header.Get("Content-Type")
		}
		if err := errors.Join(in.setName(q.Get("filename")), in.setType(mimeType)); err != nil {
			return err
		}
		if r.Action == access.ArrayWrite {
			if err := a.vault.WriteFile(r.Context(), r.Grant, asset(r), in.content()); err != nil {
				return err
			}
			return a.stored(w, r, in, asset(r))
		}
		if in.asset, err = newAsset(r, r.Param("array")); err != nil {
			return err
		}
		if name := q.Get("name"); name != "" {
			in.asset.Name = name
		}
		return a.store(w, r, in)
	}
}

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

// wrapFile keeps a file of the namespace's storage as a new array.
func (a *API) wrapFile(w http.ResponseWriter, r *web.Request) error {
	var want struct {
		InputURI  string `json:"input_uri"`
		OutputURI string `json:"output_uri"`
		Name      string `json:"name"`
	}
	if err := r.DecodeJSON(&want); err != nil {
		return err
	}
	from, key, err := a.objectAt(r, want.InputURI)
	if err != nil {
		return err
	}
	opened, _, err := a.vault.Files(r.Subject).Open(r.Context(), from, key)
	if err != nil {
		return objectError(err, want.InputURI)
	}
	defer opened.Close()
	in := &incoming{fileKind: asFile(), atMost: uint64(opened.Size()), exact: true, body: &storedReader{ctx: r.Context(), file: opened}}
	if err := in.setName(path.Base(key)); err != nil {
		return err
	}
	if in.asset, err = formAsset(r, r.Param("namespace"), want.OutputURI, want.Name, in.name); err != nil {
		return err
	}
	return a.store(w, r, in)
}

// formAsset says what to make of a file in a namespace, as a form or a JSON body has it: at a place, under a name, or under the file's own.
func formAsset(r *web.Request, into, outputURI, name, own string) (catalog.NewAsset, error) {
	ref := outputURI
	if rest, ok := strings.CutPrefix(ref, tiledbScheme); ok {
		namespace, last, _ := strings.Cut(rest, "/")
		if !sameName(namespace, into) {
			return catalog.NewAsset{}, fmt.Errorf("%w: output_uri is in another namespace", web.ErrBadRequest)
		}
		ref = last
	}
	if ref == "" {
		ref = name
	}
	if ref == "" {
		ref = own
	}
	n, err := newAsset(r, ref)
	if err == nil && name != "" {
		n.Name = name
	}
	return n, err
}

// objectAt says which file a URI names: s3://NAMESPACE/KEY as the server's S3 interface has it, or the URI or path of a file
// in a directory that the namespace of the request owns.
func (a *API) objectAt(r *web.Request, uri string) (namespaceID, key string, err error) {
	rest, ok := strings.CutPrefix(uri, "s3://")
	switch {
	case ok:
		var name string
		name, key, _ = strings.Cut(rest, "/")
		n, err := a.accounts.Namespace(r.Context(), name)
		if err != nil {
			return "", "", err
		}
		namespaceID = n.ID
	case strings.HasPrefix(uri, "file://"), strings.HasPrefix(uri, "/"):
		n, err := a.accounts.Namespace(r.Context(), r.Param("namespace"))
		if err != nil {
			return "", "", err
		}
		namespaceID, key = n.ID, "file:/"+strings.TrimLeft(strings.TrimPrefix(uri, "file://"), "/")
	case uri == "":
		return "", "", fmt.Errorf("%w: the URI of the file is missing", web.ErrBadRequest)
	default:
		return "", "", fmt.Errorf("%w: %q is not in the storage of this server; use s3://NAMESPACE/KEY or file:///PATH", web.ErrBadRequest, uri)
	}
	if key == "" || strings.HasSuffix(key, "/") {
		return "", "", fmt.Errorf("%w: %q names no file", web.ErrBadRequest, uri)
	}
	return namespaceID, key, nil
}

// objectError is an error of a file of the storage for who named it.
func objectError(err error, uri string) error {
	switch {
	case errors.Is(err, vfs.ErrNotExist):
		return fmt.Errorf("%w: there is no file %s", catalog.ErrNotFound, uri)
	case errors.Is(err, vfs.ErrExist):
		return fmt.Errorf("%w in the way of %s", catalog.ErrExists, uri)
	}
	return err
}

// storedReader reads a file of the storage from its beginning.
type storedReader struct {
	ctx  context.Context
	file vfs.File
	at   int64
}

// Read implements io.Reader.
func (s *storedReader) Read(p []byte) (int, error) {
	n := min(int64(len(p)), s.file.Size()-s.at)
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	if err := s.file.ReadAt(s.ctx, p[:n], s.at); err != nil {
		return 0, err
	}
	s.at += n
	return int(n), nil
}

// exportFile copies the file in an array to the storage of a namespace.
func (a *API) exportFile(w http.ResponseWriter, r *web.Request) error {
	var want struct {
		OutputURI string `json:"output_uri"`
	}
	if err := r.DecodeJSON(&want); err != nil {
		return err
	}
	to, key, err := a.objectAt(r, want.OutputURI)
	if err != nil {
		return err
	}
	f, err := a.openFile(r)
	if err != nil {
		return err
	}
	out, err := a.vault.Files(r.Subject).Write(r.Context(), vault.NewFile{NamespaceID: to, Key: key})
	if err != nil {
		return objectError(err, want.OutputURI)
	}
	if err := f.CopyRange(r.Context(), out, 0, f.NBytes); err != nil {
		return errors.Join(err, out.Abort())
	}
	if _, err := out.Commit(r.Context()); err != nil {
		return objectError(err, want.OutputURI)
	}
	return web.JSON(w, r, http.StatusCreated, want)
}

// openFile opens the file of a request at the interval of its address.
func (a *API) openFile(r *web.Request) (*vault.File, error) {
	at, err := interval(r)
	if err != nil {
		return nil, err
	}
	return a.vault.OpenFile(r.Context(), r.Grant, asset(r), at)
}

// download answers the bytes of a file, or the ranges of them that the request names.
func (a *API) download(w http.ResponseWriter, r *web.Request) error {
	f, err := a.openFile(r)
	if err != nil {
		return err
	}
	name, kind := downloadName(asset(r), f.Metadata())
	h := w.Header()
	h.Set("Content-Type", kind)
	// Whatever the file is, a browser must not take it for a page of this server.
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("ETag", strconv.Quote(f.Version()))
	body := &fileReader{ctx: r.Context(), file: f}
	http.ServeContent(w, r.Request, "", f.Modified(), body)
	return body.err
}

// downloadName returns name and type of a file's content.
func downloadName(x catalog.Asset, entries []format.MetadataEntry) (name, kind string) {
	texts := map[string]string{}
	for _, e := range entries {
		if (e.Type == datatype.StringUTF8 || e.Type == datatype.StringASCII || e.Type == datatype.Char) && utf8.Valid(e.Value) {
			texts[e.Key] = string(e.Value)
		}
	}
	name, kind = texts["original_file_name"], texts["mime_type"]
	if extension := texts["file_extension"]; name != "" && extension != "" && !strings.HasSuffix(name, "."+extension) {
		name += "." + extension
	}
	if name == "" {
		name = path.Base(x.Name)
	}
	if x.Info.FileType == catalog.NotebookType || texts["type"] == catalog.NotebookType {
		if kind = asNotebook().mimeType; path.Ext(name) == "" {
			name += ".ipynb"
		}
	}
	if _, _, err := mime.ParseMediaType(kind); err != nil {
		kind = "application/octet-stream"
	}
	return name, kind
}

// fileReader reads a file a piece at a time and keeps the error that ended it.
type fileReader struct {
	ctx   context.Context
	file  *vault.File
	at    int64
	piece bytes.Buffer
	err   error
}

// downloadPiece is how much of a file is read at a time.
const downloadPiece = 1 << 20

// Read implements io.Reader.
func (f *fileReader) Read(p []byte) (int, error) {
	if f.piece.Len() == 0 {
		if f.at >= f.file.NBytes {
			return 0, io.EOF
		}
		f.piece.Reset()
		n := min(f.file.NBytes-f.at, downloadPiece-f.at%downloadPiece)
		if f.err = f.file.CopyRange(f.ctx, &f.piece, f.at, n); f.err != nil {
			return 0, f.err
		}
	}
	n, err := f.piece.Read(p)
	f.at += int64(n)
	return n, err
}

// Seek implements io.Seeker.
func (f *fileReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += f.at
	case io.SeekEnd:
		offset += f.file.NBytes
	}
	if offset < 0 {
		return 0, fmt.Errorf("%w: a place before the beginning of the file", web.ErrBadRequest)
	}
	f.piece.Reset()
	f.at = offset
	return offset, nil
}

var _ io.ReadSeeker = (*fileReader)(nil)
