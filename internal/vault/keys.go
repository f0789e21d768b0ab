package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"

	"azulejo/array"
	"azulejo/filter"
	"azulejo/internal/catalog"
)

// OperatorKeyBytes is the length of the operator's key.
const OperatorKeyBytes = 32

var errNoOperator = errors.New("this server has no key of its operator, with which keys of arrays are kept")

// UseOperatorKey gives the vault the key under which it keeps the keys of encrypted arrays. Without it there can be none. It
// is called once, before the vault is used.
func (v *Vault) UseOperatorKey(secret []byte) error {
	if len(secret) != OperatorKeyBytes {
		return fmt.Errorf("the operator's key has %d bytes instead of %d", len(secret), OperatorKeyBytes)
	}
	block, err := aes.NewCipher(secret)
	if err == nil {
		v.operator, err = cipher.NewGCM(block)
	}
	return err
}

// seal encrypts the key of an array under the operator's. It can be opened for assets of the same namespace only.
func (v *Vault) seal(namespaceID string, key []byte) ([]byte, error) {
	if v.operator == nil {
		return nil, fmt.Errorf("%w: %w", array.ErrKey, errNoOperator)
	}
	nonce := make([]byte, v.operator.NonceSize())
	rand.Read(nonce)
	return v.operator.Seal(nonce, nonce, key, []byte(namespaceID)), nil
}

// key returns the key that an asset was registered with, nil if it was not. The error wraps array.ErrKey.
func (v *Vault) key(a catalog.Asset) (*filter.Key, error) {
	sealed := a.SealedKey()
	if len(sealed) == 0 {
		return nil, nil
	}
	if v.operator == nil || len(sealed) < v.operator.NonceSize() {
		return nil, fmt.Errorf("%w: %w", array.ErrKey, errNoOperator)
	}
	n := v.operator.NonceSize()
	plain, err := v.operator.Open(nil, sealed[:n], sealed[n:], []byte(a.NamespaceID))
	if err != nil {
		return nil, fmt.Errorf("%w: it was registered under another key of the operator; register the array anew", array.ErrKey)
	}
	return filter.NewKey(plain)
}
