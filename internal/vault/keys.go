package vault

import (
	"context"
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

// UseOperatorKey gives the vault the key under which it keeps the keys of encrypted arrays, and others under which such keys
// may have been kept before. Without it there can be none. It is called once, before the vault is used.
func (v *Vault) UseOperatorKey(secret []byte, others ...[]byte) error {
	v.operators = nil
	for _, s := range append([][]byte{secret}, others...) {
		if len(s) != OperatorKeyBytes {
			return fmt.Errorf("the operator's key has %d bytes instead of %d", len(s), OperatorKeyBytes)
		}
		block, err := aes.NewCipher(s)
		if err != nil {
			return err
		}
		seal, err := cipher.NewGCM(block)
		if err != nil {
			return err
		}
		v.operators = append(v.operators, seal)
	}
	return nil
}

// Reseal seals all keys of encrypted arrays and all secrets of credentials with the first of the operator's keys, all of them or none, and returns how many
// there are, and how many others no key of the operator opens: those stay as they are.
func (v *Vault) Reseal(ctx context.Context) (sealed, lost int, err error) {
	err = v.catalog.Seals(ctx, func(namespaceID string, old []byte) ([]byte, error) {
		plain, err := v.unseal(namespaceID, old)
		if err != nil {
			lost++
			return old, nil
		}
		sealed++
		return v.seal(namespaceID, plain)
	})
	return sealed, lost, err
}

// LostKeys returns how many encrypted arrays and credentials have keys and secrets that no key of the operator opens.
func (v *Vault) LostKeys(ctx context.Context) (lost int, err error) {
	err = v.catalog.Seals(ctx, func(namespaceID string, old []byte) ([]byte, error) {
		if _, err := v.unseal(namespaceID, old); err != nil {
			lost++
		}
		return old, nil
	})
	return lost, err
}

// Seal encrypts a secret under the operator's key. It opens under the same label only.
func (v *Vault) Seal(label string, plain []byte) ([]byte, error) { return v.seal(label, plain) }

// Unseal returns the secret that Seal sealed. The error wraps array.ErrKey.
func (v *Vault) Unseal(label string, sealed []byte) ([]byte, error) { return v.unseal(label, sealed) }

// seal encrypts the key of an array under the operator's. It can be opened for assets of the same namespace only.
func (v *Vault) seal(namespaceID string, key []byte) ([]byte, error) {
	if len(v.operators) == 0 {
		return nil, fmt.Errorf("%w: %w", array.ErrKey, errNoOperator)
	}
	operator := v.operators[0]
	nonce := make([]byte, operator.NonceSize())
	rand.Read(nonce)
	return operator.Seal(nonce, nonce, key, []byte(namespaceID)), nil
}

// unseal returns the key that seal sealed. The error wraps array.ErrKey.
func (v *Vault) unseal(namespaceID string, sealed []byte) ([]byte, error) {
	if len(v.operators) == 0 {
		return nil, fmt.Errorf("%w: %w", array.ErrKey, errNoOperator)
	}
	for _, operator := range v.operators {
		if n := operator.NonceSize(); len(sealed) > n {
			if plain, err := operator.Open(nil, sealed[:n], sealed[n:], []byte(namespaceID)); err == nil {
				return plain, nil
			}
		}
	}
	return nil, fmt.Errorf("%w: it was registered under another key of the operator; bring that back, or register the array anew", array.ErrKey)
}

// key returns the key that an asset was registered with, nil if it was not. The error wraps array.ErrKey.
func (v *Vault) key(a catalog.Asset) (*filter.Key, error) {
	sealed := a.SealedKey()
	if len(sealed) == 0 {
		return nil, nil
	}
	plain, err := v.unseal(a.NamespaceID, sealed)
	if err != nil {
		return nil, err
	}
	return filter.NewKey(plain)
}
