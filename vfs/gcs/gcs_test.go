package gcs_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"azulejo/internal/oracle/storeserver"
	"azulejo/vfs"
	"azulejo/vfs/bucket"
	"azulejo/vfs/gcs"
	"azulejo/vfs/vfstest"
)

func open(t *testing.T, o gcs.Options) *bucket.FS {
	t.Helper()
	o.PartBytes = vfstest.PartBytes
	fs, err := gcs.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

func TestFakeGCS(t *testing.T) {
	fs := open(t, gcs.Options{Endpoint: storeserver.FakeGCS(t).URL})
	vfstest.Run(t, func(t *testing.T) (vfs.FS, string) { return fs, "gs://" + storeserver.Bucket + "/" + t.Name() })
}

// TestServiceAccount gets a token with a signed assertion from a server that looks at it, and sends it along.
func TestServiceAccount(t *testing.T) {
	ctx := t.Context()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	var authorized []string
	mux := http.NewServeMux()
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		parts := strings.Split(r.FormValue("assertion"), ".")
		signature, err := base64.RawURLEncoding.DecodeString(parts[len(parts)-1])
		hash := sha256.Sum256([]byte(strings.Join(parts[:len(parts)-1], ".")))
		if err != nil || rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, hash[:], signature) != nil {
			http.Error(w, "bad assertion", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"access_token":"granted","token_type":"Bearer","expires_in":3600}`)
	})
	mux.HandleFunc("/storage/", func(w http.ResponseWriter, r *http.Request) {
		authorized = append(authorized, r.Header.Get("Authorization"))
		fmt.Fprint(w, `{"items":[{"name":"d/f","size":"7"}]}`)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	account, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "me@project.iam.gserviceaccount.com", "private_key_id": "1", "token_uri": server.URL + "/token",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
	})
	if err != nil {
		t.Fatal(err)
	}
	fs := open(t, gcs.Options{Endpoint: server.URL, ServiceAccount: string(account)})
	for range 2 {
		if list, err := fs.List(ctx, "gcs://bucket/d"); err != nil || len(list) != 1 || list[0].NBytes != 7 {
			t.Fatalf("%v, %v", list, err)
		}
	}
	if len(authorized) != 2 || authorized[1] != "Bearer granted" {
		t.Errorf("authorization %q", authorized)
	}
}

// TestHMACKeys speaks to an S3 server, as Google's is with such keys.
func TestHMACKeys(t *testing.T) {
	s := storeserver.VersityGW(t)
	fs := open(t, gcs.Options{Endpoint: s.URL, AccessKey: s.Key, SecretKey: s.Secret})
	vfstest.RunUnconditional(t, func(t *testing.T) (vfs.FS, string) { return fs, "gs://" + storeserver.Bucket + "/" + t.Name() })
}

// TestResumableUpload is against a server that keeps less than it was sent, and once throttles.
func TestResumableUpload(t *testing.T) {
	var kept []byte
	var ranges []string
	mux := http.NewServeMux()
	mux.HandleFunc("POST /upload/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "http://"+r.Host+"/session")
	})
	mux.HandleFunc("PUT /session", func(w http.ResponseWriter, r *http.Request) {
		ranges = append(ranges, r.Header.Get("Content-Range"))
		var first, last int
		var total string
		fmt.Sscanf(r.Header.Get("Content-Range"), "bytes %d-%d/%s", &first, &last, &total)
		body, _ := io.ReadAll(r.Body)
		switch n := len(ranges); {
		case n == 2:
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		case n == 1:
			body = body[:256<<10] // keeps one unit only
		}
		kept = append(kept[:first], body...)
		if fmt.Sprint(len(kept)) == total {
			return
		}
		w.Header().Set("Range", fmt.Sprintf("bytes=0-%d", len(kept)-1))
		w.WriteHeader(http.StatusPermanentRedirect)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	var pauses []time.Duration
	o := gcs.Options{Endpoint: server.URL}
	o.PartBytes = 600 << 10 // 512 KiB after rounding
	o.Retry.Sleep = func(_ context.Context, d time.Duration) error {
		pauses = append(pauses, d)
		return nil
	}
	fs, err := gcs.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	content := bytes.Repeat([]byte("0123456789abcdef"), 700<<10/16)
	if err := vfs.WriteAll(t.Context(), fs, "gs://b/f", content); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(kept, content) {
		t.Errorf("%d bytes arrived, want %d", len(kept), len(content))
	}
	if len(pauses) != 1 || pauses[0] < time.Second {
		t.Errorf("pauses %v, want one of a second", pauses)
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		o    gcs.Options
		want string
	}{
		{gcs.Options{}, ""},
		{gcs.Options{Token: "t"}, ""},
		{gcs.Options{Token: "t", AccessKey: "a"}, "choose one"},
		{gcs.Options{ServiceAccount: "{"}, "JSON"},
		{gcs.Options{ServiceAccountFile: "/nonexistent"}, "nonexistent"},
		{gcs.Options{Endpoint: "x"}, "endpoint"},
	} {
		_, err := gcs.New(t.Context(), c.o)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v, want %q", c.o, err, c.want)
		}
	}
}
