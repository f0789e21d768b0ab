package s3face

import (
	"encoding/base64"
	"encoding/xml"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"azulejo/internal/vault"
	"azulejo/internal/web"
)

// maxKeys is how many keys a page has at most.
const maxKeys = 1000

// item is one file of a listing.
type item struct {
	Key          string
	LastModified string
	ETag         string
	Size         int64
	StorageClass string
}

// prefix is the common beginning of several keys of a listing.
type prefix struct{ Prefix string }

// listing is a page of keys, as both forms of the call answer it.
type listing struct {
	XMLName               xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
	Name                  string
	Prefix                string
	Delimiter             string `xml:",omitempty"`
	EncodingType          string `xml:",omitempty"`
	MaxKeys               int
	IsTruncated           bool
	KeyCount              *int     `xml:",omitempty"`
	StartAfter            string   `xml:",omitempty"`
	ContinuationToken     string   `xml:",omitempty"`
	NextContinuationToken string   `xml:",omitempty"`
	Marker                *string  `xml:",omitempty"`
	NextMarker            string   `xml:",omitempty"`
	Contents              []item   `xml:"Contents"`
	CommonPrefixes        []prefix `xml:"CommonPrefixes"`
}

// whole returns a parameter that is a whole number from 0 on, at most limit.
func whole(r *web.Request, name string, def, limit int) (int, error) {
	text := r.Query().Get(name)
	if text == "" {
		return def, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, bad("InvalidArgument", "%s is not a whole number from 0 on", name)
	}
	return min(n, limit), nil
}

// list answers a page of keys, in the form of ListObjectsV2 or of the older ListObjects.
func (f *Face) list(w http.ResponseWriter, r *web.Request) error {
	q, t := r.Query(), at(r)
	l := listing{Name: t.namespace.Name, Prefix: q.Get("prefix"), Delimiter: q.Get("delimiter"), EncodingType: q.Get("encoding-type"),
		StartAfter: q.Get("start-after"), ContinuationToken: q.Get("continuation-token")}
	if l.EncodingType != "" && l.EncodingType != "url" {
		return bad("InvalidArgument", "encoding-type is not url")
	}
	var err error
	if l.MaxKeys, err = whole(r, "max-keys", maxKeys, maxKeys); err != nil {
		return err
	}
	v2 := q.Get("list-type") == "2"
	p := page{listing: &l, Listing: vault.Listing{NamespaceID: t.namespace.ID, Prefix: short(l.Prefix)}}
	switch {
	case v2 && l.ContinuationToken != "":
		err = p.resume(l.ContinuationToken)
	case v2:
		p.After = short(l.StartAfter)
	default:
		marker := q.Get("marker")
		l.Marker, l.StartAfter, l.ContinuationToken = &marker, "", ""
		if p.After = short(marker); l.Delimiter != "" && strings.HasSuffix(marker, l.Delimiter) {
			p.Skip = p.After
		}
	}
	if err != nil {
		return err
	}
	if l.MaxKeys > 0 {
		if err := f.files(r).List(r.Context(), p.Listing, p.add); err != nil {
			return err
		}
	}
	switch {
	case v2:
		n := len(l.Contents) + len(l.CommonPrefixes)
		l.KeyCount = &n
		if l.IsTruncated {
			l.NextContinuationToken = p.token()
		}
	case l.IsTruncated:
		l.NextMarker = p.last
	}
	l.lengthen()
	if l.EncodingType == "url" {
		l.escape()
	}
	return send(w, l)
}

// page collects one page of a listing.
type page struct {
	*listing
	vault.Listing
	// last is the last key or common prefix, rolled says that it is the latter.
	last   string
	rolled bool
}

// add takes a file into the page, or the beginning that it has in common with others.
func (p *page) add(key string, info vault.FileInfo) (skip string, err error) {
	l := p.listing
	if len(l.Contents)+len(l.CommonPrefixes) == l.MaxKeys {
		l.IsTruncated = true
		return "", vault.ErrStop
	}
	if l.Delimiter != "" {
		n := len(p.Listing.Prefix)
		if i := strings.Index(key[n:], l.Delimiter); i >= 0 {
			common := key[:n+i+len(l.Delimiter)]
			l.CommonPrefixes = append(l.CommonPrefixes, prefix{common})
			p.last, p.rolled = common, true
			return common, nil
		}
	}
	l.Contents = append(l.Contents, item{key, stamp(info.Modified), etag(info), info.NBytes, "STANDARD"})
	p.last, p.rolled = key, false
	return "", nil
}

// token names the place where the page ends: the last key, or the common prefix behind which to go on.
func (p *page) token() string {
	kind := "k"
	if p.rolled {
		kind = "p"
	}
	return base64.RawURLEncoding.EncodeToString([]byte(kind + p.last))
}

// resume goes on where the page of a token ended.
func (p *page) resume(token string) error {
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(text) < 2 || text[0] != 'k' && text[0] != 'p' {
		return bad("InvalidArgument", "the continuation token is none of this server's")
	}
	if p.After = string(text[1:]); text[0] == 'p' {
		p.Skip = p.After
	}
	return nil
}

// Keys of directories are listed as file:///directory/rest, the form that users write, though libtiledb asks for
// file:/directory/: it cuts the address that its user gave from the beginning of those that are listed.
const longForm, shortForm = "file:///", "file:/"

// short returns a key or the beginning of one in the form in which the vault has it.
func short(key string) string {
	if rest, ok := strings.CutPrefix(key, shortForm); ok {
		return shortForm + strings.TrimLeft(rest, "/")
	}
	return key
}

// long returns a key of the vault in the form in which it is listed.
func long(key string) string {
	if rest, ok := strings.CutPrefix(key, shortForm); ok {
		return longForm + rest
	}
	return key
}

// lengthen puts the keys of a page into the form in which they are listed.
func (l *listing) lengthen() {
	l.NextMarker = long(l.NextMarker)
	for i := range l.Contents {
		l.Contents[i].Key = long(l.Contents[i].Key)
	}
	for i := range l.CommonPrefixes {
		l.CommonPrefixes[i].Prefix = long(l.CommonPrefixes[i].Prefix)
	}
}

// escape percent-encodes everything that is or has a part of a key.
func (l *listing) escape() {
	for _, s := range []*string{&l.Prefix, &l.Delimiter, &l.StartAfter, &l.NextMarker, l.Marker} {
		if s != nil {
			*s = escaped(*s)
		}
	}
	for i := range l.Contents {
		l.Contents[i].Key = escaped(l.Contents[i].Key)
	}
	for i := range l.CommonPrefixes {
		l.CommonPrefixes[i].Prefix = escaped(l.CommonPrefixes[i].Prefix)
	}
}

// escaped percent-encodes a key but for its slashes.
func escaped(key string) string {
	return strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(key), "+", "%20"), "%2F", "/")
}

// place is the reply that says where a bucket is: everywhere, which is the empty region.
type place struct {
	XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ LocationConstraint"`
}

func (f *Face) location(w http.ResponseWriter, _ *web.Request) error { return send(w, place{}) }

func (f *Face) headBucket(w http.ResponseWriter, _ *web.Request) error {
	w.Header().Set("X-Amz-Bucket-Region", "us-east-1")
	return nil
}

// bucket is one bucket of a list.
type bucket struct {
	Name         string
	CreationDate string
}

// buckets is the reply that lists the namespaces of the caller.
type buckets struct {
	XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListAllMyBucketsResult"`
	Owner   struct{ ID, DisplayName string }
	Buckets struct {
		Bucket []bucket
	}
}

func (f *Face) listBuckets(w http.ResponseWriter, r *web.Request) error {
	u, err := f.accounts.ByID(r.Context(), r.Subject.UserID)
	if err != nil {
		return err
	}
	var reply buckets
	reply.Owner.ID, reply.Owner.DisplayName = r.Subject.NamespaceID, r.Subject.Namespace
	reply.Buckets.Bucket = []bucket{{r.Subject.Namespace, stamp(u.CreatedAt)}}
	return send(w, reply)
}

// deletion is the body that asks to remove several files.
type deletion struct {
	Quiet   bool
	Objects []struct {
		Key       string
		VersionID string `xml:"VersionId"`
	} `xml:"Object"`
}

// removed is one file that was removed.
type removed struct{ Key string }

// kept is one file that could not be removed.
type kept struct{ Key, Code, Message string }

// deleted is the reply to that.
type deleted struct {
	XMLName xml.Name  `xml:"http://s3.amazonaws.com/doc/2006-03-01/ DeleteResult"`
	Deleted []removed `xml:"Deleted"`
	Errors  []kept    `xml:"Error"`
}

func (f *Face) deleteObjects(w http.ResponseWriter, r *web.Request) error {
	var want deletion
	if err := decode(r, &want); err != nil {
		return err
	}
	if len(want.Objects) == 0 || len(want.Objects) > maxKeys {
		return errMalformed
	}
	t := at(r)
	var reply deleted
	for _, o := range want.Objects {
		var err error = errNotServed
		if o.VersionID == "" || o.VersionID == "null" {
			err = f.files(r).Remove(r.Context(), t.namespace.ID, o.Key)
		}
		switch {
		case r.Context().Err() != nil:
			return r.Context().Err()
		case err != nil:
			e := told(failure(err))
			reply.Errors = append(reply.Errors, kept{o.Key, e.Code, e.Message})
		case !want.Quiet:
			reply.Deleted = append(reply.Deleted, removed{o.Key})
		}
	}
	return send(w, reply)
}
