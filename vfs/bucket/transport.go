package bucket

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"
)

// Network says how the server of a store is reached. The zero value is ready.
type Network struct {
	// CAFile is a PEM file with the authorities that vouch for the server, instead of the system's.
	CAFile string
	// Proxy is the URL of an HTTP proxy; empty means none.
	Proxy string
	// Transport replaces all of this.
	Transport http.RoundTripper
}

// RoundTripper returns what makes the requests of one store.
func (n Network) RoundTripper() (http.RoundTripper, error) {
	if n.Transport != nil {
		return n.Transport, nil
	}
	t := &http.Transport{
		MaxIdleConns: 256, MaxIdleConnsPerHost: 64, IdleConnTimeout: 90 * time.Second,
		TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: time.Minute, ExpectContinueTimeout: time.Second,
		DisableCompression: true, // an object is its bytes as they are stored
		ForceAttemptHTTP2:  true,
		TLSClientConfig:    &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if n.Proxy != "" {
		u, err := url.Parse(n.Proxy)
		if err != nil {
			return nil, fmt.Errorf("proxy: %w", err)
		}
		t.Proxy = http.ProxyURL(u)
	}
	if n.CAFile != "" {
		pem, err := os.ReadFile(n.CAFile)
		if err != nil {
			return nil, fmt.Errorf("CA file: %w", err)
		}
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("CA file %s: no certificate in PEM form", n.CAFile)
		}
	}
	return t, nil
}
