package azblob_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"

	"azulejo/internal/oracle/storeserver"
	"azulejo/vfs"
	"azulejo/vfs/azblob"
	"azulejo/vfs/bucket"
	"azulejo/vfs/vfstest"
)

func open(t *testing.T, o azblob.Options) *bucket.FS {
	t.Helper()
	o.PartBytes = vfstest.PartBytes
	fs, err := azblob.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

func TestAzurite(t *testing.T) {
	s := storeserver.Azurite(t)
	fs := open(t, azblob.Options{Account: s.Key, Key: s.Secret, Endpoint: s.URL})
	vfstest.Run(t, func(t *testing.T) (vfs.FS, string) { return fs, "azure://" + storeserver.Bucket + "/" + t.Name() })
}

// TestSharedAccessSignature reads and writes with a signature for one container, and not with one that was tampered with.
func TestSharedAccessSignature(t *testing.T) {
	ctx := t.Context()
	s := storeserver.Azurite(t)
	cred, err := container.NewSharedKeyCredential(s.Key, s.Secret)
	if err != nil {
		t.Fatal(err)
	}
	values := sas.BlobSignatureValues{
		Protocol: sas.ProtocolHTTPSandHTTP, StartTime: time.Now().Add(-time.Hour), ExpiryTime: time.Now().Add(time.Hour),
		ContainerName: storeserver.Bucket, Permissions: (&sas.ContainerPermissions{Read: true, Create: true, Write: true, Delete: true, List: true}).String(),
	}
	signed, err := values.SignWithSharedKey(cred)
	if err != nil {
		t.Fatal(err)
	}
	fs := open(t, azblob.Options{Endpoint: s.URL, SAS: "?" + signed.Encode()})
	uri := "azure://" + storeserver.Bucket + "/d/f"
	if err := vfs.WriteAll(ctx, fs, uri, []byte("content")); err != nil {
		t.Fatal(err)
	}
	if got, err := vfs.ReadAll(ctx, fs, uri); err != nil || string(got) != "content" {
		t.Fatalf("%q, %v", got, err)
	}
	if err := fs.Remove(ctx, "azure://"+storeserver.Bucket+"/d"); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]azblob.Options{
		"tampered":  {Endpoint: s.URL, SAS: strings.Replace(signed.Encode(), "sig=", "sig=AAAA", 1)},
		"wrong key": {Endpoint: s.URL, Account: s.Key, Key: "d3Jvbmc="},
		"anonymous": {Endpoint: s.URL},
	} {
		o.Retry.Attempts = 1
		if _, err := open(t, o).List(ctx, "azure://"+storeserver.Bucket); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := open(t, azblob.Options{Endpoint: s.URL, Account: s.Key, Key: s.Secret}).List(ctx, "azure://none"); err == nil || !strings.Contains(err.Error(), "ContainerNotFound") {
		t.Errorf("list of a container that does not exist: %v", err)
	}
}

// TestSignaturesStayOutOfErrors wants no signature in the error of a server that cannot be reached.
func TestSignaturesStayOutOfErrors(t *testing.T) {
	o := azblob.Options{Endpoint: "http://127.0.0.1:1", SAS: "sv=2024&sig=SECRET"}
	o.Retry.Attempts = 1
	fs := open(t, o)
	_, err := fs.List(t.Context(), "azure://c/d")
	errs := errors.Join(err, vfs.WriteAll(t.Context(), fs, "azure://c/f", []byte("x")))
	if err == nil || strings.Contains(errs.Error(), "SECRET") || !strings.Contains(errs.Error(), "refused") {
		t.Error(errs)
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		o    azblob.Options
		want string
	}{
		{azblob.Options{Account: "acc"}, ""},
		{azblob.Options{}, "neither account nor endpoint"},
		{azblob.Options{Endpoint: "ftp://x"}, "endpoint"},
		{azblob.Options{Account: "a", Key: "a", SAS: "b"}, "choose one"},
		{azblob.Options{Endpoint: "http://x", Key: "AAAA"}, "without its account"},
		{azblob.Options{Account: "a", Key: "%"}, "base64"},
	} {
		_, err := azblob.New(c.o)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v, want %q", c.o, err, c.want)
		}
	}
}
