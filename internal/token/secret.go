package token

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"hash/crc32"
	"math/big"
	"regexp"
	"strings"

	"github.com/google/uuid"
)

// The form of a secret (tokens-page.md, TOK-30):
//
//	azj_ k _ rrrr…rrrr cccccc
//	     |   |         6 characters: CRC-32 (IEEE) of all before it, base 62
//	     |   43 characters: 32 random bytes, base 62, big-endian
//	     kind letter: a API token, s session, n notebook, t task
//
// Base 62 uses 0-9, a-z, A-Z in this order, padded with 0 on the left. Only
// letters, digits and '_' occur, so a secret fits in every header as it is.
const (
	secretPrefix = "azj_"
	randomBytes  = 32
	randomChars  = 43
	checkChars   = 6
	secretLen    = len(secretPrefix) + 2 + randomChars + checkChars
	tailChars    = 7
)

// Pattern matches every secret, for scanners and for redaction.
const Pattern = `azj_[a-z]_[0-9A-Za-z]{49}`

var pattern = regexp.MustCompile(Pattern)

// errForm means that a text is not a secret of ours.
var errForm = errors.New("not a token")

// Secret is a token's secret text. Printing or logging it shows only that it is
// one; Reveal returns the text.
type Secret string

// String hides the secret.
func (Secret) String() string { return "azj_…" }

// GoString hides the secret.
func (Secret) GoString() string { return "token.Secret" }

// MarshalText hides the secret.
func (Secret) MarshalText() ([]byte, error) { return []byte("azj_…"), nil }

// Reveal returns the secret itself, for the one reply that carries it.
func (s Secret) Reveal() string { return string(s) }

// Redact replaces every secret in s.
func Redact(s string) string {
	if !strings.Contains(s, secretPrefix) {
		return s
	}
	return pattern.ReplaceAllString(s, "azj_REDACTED")
}

// Contains reports whether a secret stands somewhere in s.
func Contains(s string) bool { return strings.Contains(s, secretPrefix) && pattern.MatchString(s) }

// Kind says what a token is for.
type Kind string

// The kinds of token.
const (
	API      Kind = "api"      // made by its user, listed as API token
	Session  Kind = "session"  // made by a log-in
	Notebook Kind = "notebook" // of a notebook server
	Task     Kind = "task"     // of one running task
)

func (k Kind) letter() byte {
	if k == "" {
		return '?'
	}
	return k[0]
}

// newSecret draws a secret from the operating system's generator.
func newSecret(k Kind) Secret {
	var random [randomBytes]byte
	rand.Read(random[:])
	return formSecret(k.letter(), random)
}

func formSecret(letter byte, random [randomBytes]byte) Secret {
	body := secretPrefix + string(letter) + "_" + base62(new(big.Int).SetBytes(random[:]), randomChars)
	return Secret(body + checksum(body))
}

func checksum(body string) string {
	return base62(new(big.Int).SetUint64(uint64(crc32.ChecksumIEEE([]byte(body)))), checkChars)
}

func base62(n *big.Int, width int) string {
	text := n.Text(62)
	return strings.Repeat("0", width-len(text)) + text
}

// parse checks form and checksum, without any look-up. The error is errForm.
func parse(text string) (Secret, error) {
	if len(text) != secretLen || !strings.HasPrefix(text, secretPrefix) || text[len(secretPrefix)+1] != '_' {
		return "", errForm
	}
	for i := len(secretPrefix) + 2; i < len(text); i++ {
		if c := text[i]; (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return "", errForm
		}
	}
	if cut := len(text) - checkChars; checksum(text[:cut]) != text[cut:] {
		return "", errForm
	}
	return Secret(text), nil
}

// digest is the SHA-256 of a secret: all of it that is ever stored.
type digest [sha256.Size]byte

func (s Secret) digest() digest { return sha256.Sum256([]byte(s)) }

// id is the token's public identifier: the first 16 bytes of the digest, marked
// as a version 8 UUID.
func (d digest) id() string {
	var u uuid.UUID
	copy(u[:], d[:])
	u[6] = u[6]&0x0f | 0x80
	u[8] = u[8]&0x3f | 0x80
	return u.String()
}

func (s Secret) tail() string { return string(s[len(s)-tailChars:]) }
