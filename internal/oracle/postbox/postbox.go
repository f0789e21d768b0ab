// Package postbox is an SMTP server for tests: it listens on loopback, speaks the protocol as mail servers do, with STARTTLS,
// TLS from the first byte and log-in, refuses what it is told to, and keeps the mails. Only tests import it.
package postbox

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"
)

// Mail is one that was taken.
type Mail struct {
	// From and To are those of the envelope.
	From, To string
	Header   mail.Header
	Subject  string // decoded
	Text     string // decoded, with plain line breaks
	// TLS tells that the connection was encrypted, User who had logged in.
	TLS  bool
	User string
}

// Options say how a server behaves.
type Options struct {
	// Implicit is TLS from the first byte, StartTLS offers it in the conversation.
	Implicit, StartTLS bool
	// User and Password are who may log in; without them nobody is asked to.
	User, Password string
	// Listen is the address, a free port on loopback when empty.
	Listen string
}

// Server is a running mail server. It is safe for concurrent use.
type Server struct {
	// Address is host:port, CA the PEM certificate that its own is signed with, Roots the same as a pool.
	Address string
	CA      []byte
	Roots   *x509.CertPool

	options  Options
	config   *tls.Config
	listener net.Listener
	mails    chan Mail
	running  sync.WaitGroup

	mu      sync.Mutex
	answers []string // guarded by mu; what the next recipients are answered
}

// Start starts a server, which ends with the test.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{options: o, mails: make(chan Mail, 1000)}
	if err := s.certify(); err != nil {
		t.Fatal(err)
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	var err error
	if s.listener, err = net.Listen("tcp", o.Listen); err != nil {
		t.Fatal(err)
	}
	s.Address = s.listener.Addr().String()
	s.running.Go(s.serve)
	t.Cleanup(s.Close)
	return s
}

// Close ends the server and waits for its conversations.
func (s *Server) Close() {
	s.listener.Close() // best effort: it may be closed already
	s.running.Wait()
}

// Answer makes the next recipients be answered with these lines, such as "451 later", one each.
func (s *Server) Answer(lines ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = append(s.answers, lines...)
}

// Next returns the next mail, and fails the test when none comes for a minute.
func (s *Server) Next(t testing.TB) Mail {
	t.Helper()
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	select {
	case m := <-s.mails:
		return m
	case <-limit.C:
		t.Fatal("no mail came")
	}
	return Mail{}
}

// Waiting returns how many mails came that nobody has read.
func (s *Server) Waiting() int { return len(s.mails) }

// certify makes a certificate for 127.0.0.1.
func (s *Server) certify() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "postbox"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		DNSNames: []string{"localhost"}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, about, about, &key.PublicKey, key)
	if err != nil {
		return err
	}
	s.CA = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	s.Roots = x509.NewCertPool()
	s.Roots.AppendCertsFromPEM(s.CA)
	s.config = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	return nil
}

func (s *Server) serve() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.running.Go(func() {
			c := &conversation{server: s, tls: s.options.Implicit}
			if c.tls {
				conn = tls.Server(conn, s.config)
			}
			c.attach(conn)
			c.run()        // best effort: a client that goes away is none of ours
			c.conn.Close() // best effort
		})
	}
}

// conversation is one connection.
type conversation struct {
	server   *Server
	conn     net.Conn
	text     *textproto.Conn
	tls      bool
	user     string
	from, to string
}

func (c *conversation) attach(conn net.Conn) { c.conn, c.text = conn, textproto.NewConn(conn) }

var errQuit = errors.New("quit")

func (c *conversation) run() error {
	err := c.text.PrintfLine("220 postbox")
	for err == nil {
		var line string
		if line, err = c.text.ReadLine(); err == nil {
			err = c.answer(line)
		}
	}
	return err
}

func (c *conversation) answer(line string) error {
	verb, rest, _ := strings.Cut(line, " ")
	switch strings.ToUpper(verb) {
	case "EHLO":
		return c.hello()
	case "STARTTLS":
		if !c.server.options.StartTLS || c.tls {
			return c.text.PrintfLine("502 not here")
		}
		if err := c.text.PrintfLine("220 go on"); err != nil {
			return err
		}
		c.tls, c.from, c.to = true, "", ""
		c.attach(tls.Server(c.conn, c.server.config))
		return nil
	case "AUTH":
		return c.login(rest)
	case "MAIL":
		if c.server.options.User != "" && c.user == "" {
			return c.text.PrintfLine("530 log in first")
		}
		c.from = address(rest)
		return c.text.PrintfLine("250 ok")
	case "RCPT":
		c.server.mu.Lock()
		said := "250 ok"
		if len(c.server.answers) > 0 {
			said, c.server.answers = c.server.answers[0], c.server.answers[1:]
		}
		c.server.mu.Unlock()
		if strings.HasPrefix(said, "250") {
			c.to = address(rest)
		}
		return c.text.PrintfLine("%s", said)
	case "DATA":
		return c.data()
	case "RSET", "NOOP":
		return c.text.PrintfLine("250 ok")
	case "QUIT":
		return errors.Join(c.text.PrintfLine("221 bye"), errQuit)
	}
	return c.text.PrintfLine("502 what?")
}

func address(argument string) string {
	_, rest, _ := strings.Cut(argument, "<")
	inside, _, _ := strings.Cut(rest, ">")
	return inside
}

func (c *conversation) hello() error {
	lines := []string{"postbox", "8BITMIME"}
	if c.server.options.StartTLS && !c.tls {
		lines = append(lines, "STARTTLS")
	}
	if c.server.options.User != "" {
		lines = append(lines, "AUTH PLAIN")
	}
	for i, l := range lines {
		sep := "-"
		if i == len(lines)-1 {
			sep = " "
		}
		if err := c.text.PrintfLine("250%s%s", sep, l); err != nil {
			return err
		}
	}
	return nil
}

func (c *conversation) login(argument string) error {
	_, encoded, _ := strings.Cut(argument, " ")
	plain, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || string(plain) != "\x00"+c.server.options.User+"\x00"+c.server.options.Password {
		return c.text.PrintfLine("535 no")
	}
	c.user = c.server.options.User
	return c.text.PrintfLine("235 welcome")
}

func (c *conversation) data() error {
	if c.to == "" {
		return c.text.PrintfLine("503 to whom?")
	}
	if err := c.text.PrintfLine("354 go on"); err != nil {
		return err
	}
	content, err := c.text.ReadDotBytes()
	if err != nil {
		return err
	}
	m, err := parse(content)
	if err != nil {
		return c.text.PrintfLine("554 %s", fmt.Sprintf("%q", err))
	}
	m.From, m.To, m.TLS, m.User = c.from, c.to, c.tls, c.user
	c.server.mails <- m
	return c.text.PrintfLine("250 taken")
}

func parse(content []byte) (Mail, error) {
	read, err := mail.ReadMessage(bufio.NewReader(strings.NewReader(string(content))))
	if err != nil {
		return Mail{}, err
	}
	var body io.Reader = read.Body
	if strings.EqualFold(read.Header.Get("Content-Transfer-Encoding"), "quoted-printable") {
		body = quotedprintable.NewReader(body)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return Mail{}, err
	}
	subject, err := (&mime.WordDecoder{}).DecodeHeader(read.Header.Get("Subject"))
	return Mail{Header: read.Header, Subject: subject, Text: strings.ReplaceAll(string(text), "\r\n", "\n")}, err
}
