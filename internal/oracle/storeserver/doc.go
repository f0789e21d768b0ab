// Package storeserver gives tests real servers of object stores on the loopback: gofakes3 and versitygw for S3, Azurite for
// Azure Blob Storage, fake-gcs-server for Google Cloud Storage.
//
// The programs are built or installed once per machine, at fixed versions, in the test cache of pyenv and under its lock.
// They are no requirements of our module. What cannot be had fails the test and says what is missing.
package storeserver
