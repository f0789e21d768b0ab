// Package storekeys lets a running server try credentials of namespaces on running object stores.
package storekeys
