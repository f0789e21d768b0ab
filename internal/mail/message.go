// Package mail sends mail through an SMTP server, out of an outbox in the metadata database: what was put there is sent, also
// after a crash, and tried again with growing pauses while the server refuses for the moment. A mail may come twice when the
// process dies just after the server took it; none is lost.
package mail

import (
	"bytes"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Message is one mail in plain text to one address.
type Message struct {
	To, Subject, Text string
}

// bytes returns the message as RFC 5322 says, with its text in quoted-printable. from is a mail address, with a name or
// without.
func (m Message) bytes(from string, at time.Time) ([]byte, error) {
	sender, err := mail.ParseAddress(from)
	if err != nil {
		return nil, fmt.Errorf("the sender's address: %w", err)
	}
	to, err := mail.ParseAddress(m.To)
	if err != nil {
		return nil, fmt.Errorf("the recipient's address: %w", err)
	}
	_, domain, _ := strings.Cut(sender.Address, "@")
	var b bytes.Buffer
	for _, h := range [][2]string{
		{"Date", at.UTC().Format(time.RFC1123Z)}, {"From", sender.String()}, {"To", (&mail.Address{Address: to.Address}).String()},
		{"Subject", mime.QEncoding.Encode("utf-8", oneLine(m.Subject))}, {"Message-ID", "<" + uuid.NewString() + "@" + domain + ">"},
		{"Auto-Submitted", "auto-generated"}, {"MIME-Version", "1.0"}, {"Content-Type", "text/plain; charset=utf-8"},
		{"Content-Transfer-Encoding", "quoted-printable"},
	} {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	b.WriteString("\r\n")
	w := quotedprintable.NewWriter(&b)
	if _, err := w.Write([]byte(strings.ReplaceAll(m.Text, "\n", "\r\n"))); err != nil {
		return nil, err
	}
	return b.Bytes(), w.Close()
}

// oneLine returns a text without what would end a header.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
}
