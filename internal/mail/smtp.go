package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"strings"
	"time"
)

// Security is how the connection to the mail server is protected.
type Security string

// The ways to protect it.
const (
	StartTLS Security = "starttls" // begun in the clear, then TLS, else nothing is sent
	Implicit Security = "implicit" // TLS from the first byte
	Clear    Security = "none"
)

// ErrRefused means that the mail server will never take this mail.
var ErrRefused = errors.New("the mail server refuses the mail")

// conversation is how long sending one mail may take.
const conversation = time.Minute

// Server is the SMTP server that takes our mail.
type Server struct {
	Address  string // host:port
	Security Security
	// User and Password log in; without a user nobody does.
	User, Password string
	// From is the sender's address.
	From string
	// Roots are trusted instead of the system's certificates, nil for those.
	Roots *x509.CertPool
}

// Send hands one mail to the server. The error is of class ErrRefused when it is of no use to try again; else it is.
func (s Server) Send(ctx context.Context, m Message) error {
	content, err := m.bytes(s.From, time.Now())
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	ctx, cancel := context.WithTimeout(ctx, conversation)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.Address)
	if err != nil {
		return fmt.Errorf("mail server: %w", err)
	}
	defer conn.Close()
	// The conversation ends with the context: the package smtp knows none.
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if err := s.converse(conn, m.To, content); err != nil {
		return fmt.Errorf("mail server: %w", err)
	}
	return nil
}

func (s Server) converse(conn net.Conn, to string, content []byte) error {
	host, _, err := net.SplitHostPort(s.Address)
	if err != nil {
		return err
	}
	config := &tls.Config{ServerName: host, RootCAs: s.Roots, MinVersion: tls.VersionTLS12}
	if s.Security == Implicit {
		conn = tls.Client(conn, config)
	}
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		return err
	}
	from, err := mail.ParseAddress(s.From)
	if err != nil {
		return err
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	if err := c.Hello(domain); err != nil {
		return err
	}
	if s.Security == StartTLS {
		if err := c.StartTLS(config); err != nil {
			return fmt.Errorf("STARTTLS: %w", err)
		}
	}
	if s.User != "" {
		if err := c.Auth(smtp.PlainAuth("", s.User, s.Password, host)); err != nil {
			return fmt.Errorf("log-in: %w", err)
		}
	}
	if err := c.Mail(from.Address); err != nil {
		return err
	}
	if err := c.Rcpt(to); err != nil {
		return lasting(err)
	}
	w, err := c.Data()
	if err != nil {
		return lasting(err)
	}
	if _, err := w.Write(content); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return lasting(err)
	}
	// The server has taken it; how the conversation ends does not matter.
	c.Quit() // best effort
	return nil
}

// lasting marks an answer that will be the same next time.
func lasting(err error) error {
	if answer, ok := errors.AsType[*textproto.Error](err); ok && answer.Code >= 500 {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return err
}
