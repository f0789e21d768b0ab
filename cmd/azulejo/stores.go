package main

import (
	"encoding/base64"
	"fmt"
	"os"

	"azulejo/vfs"
	"azulejo/vfs/anystore"
	"azulejo/vfs/azblob"
	"azulejo/vfs/bucket"
	"azulejo/vfs/gcs"
	"azulejo/vfs/s3"
)

// storeFlags say how object stores are reached. Secrets come from the environment alone: a command line can be read by
// every user of a machine.
type storeFlags struct {
	S3Endpoint      string `name:"s3-endpoint" env:"AWS_ENDPOINT_URL_S3,AWS_ENDPOINT_URL" placeholder:"URL" group:"Object stores (docs/stores.md):" help:"S3 server; Amazon's when absent."`
	S3Region        string `name:"s3-region" env:"AWS_REGION,AWS_DEFAULT_REGION" placeholder:"NAME" group:"Object stores (docs/stores.md):" help:"Region of the buckets."`
	S3PathStyle     bool   `name:"s3-path-style" group:"Object stores (docs/stores.md):" help:"Name the bucket in the path, not in the host."`
	S3Ambient       bool   `name:"s3-ambient" group:"Object stores (docs/stores.md):" help:"Take credentials from where Amazon's tools have them."`
	S3Encrypt       bool   `name:"s3-encrypt" group:"Object stores (docs/stores.md):" help:"Let S3 encrypt new files by its own keys."`
	S3KMSKey        string `name:"s3-kms-key" placeholder:"NAME" group:"Object stores (docs/stores.md):" help:"Let S3 encrypt new files by this key."`
	S3Unconditional bool   `name:"s3-no-conditional-put" group:"Object stores (docs/stores.md):" help:"The S3 server knows no conditional puts."`
	AzureAccount    string `name:"azure-account" env:"AZURE_STORAGE_ACCOUNT" placeholder:"NAME" group:"Object stores (docs/stores.md):" help:"Azure storage account."`
	AzureEndpoint   string `name:"azure-endpoint" env:"AZURE_BLOB_ENDPOINT" placeholder:"URL" group:"Object stores (docs/stores.md):" help:"Blob service of the account; Azure's when absent."`
	GCSEndpoint     string `name:"gcs-endpoint" env:"STORAGE_EMULATOR_HOST" placeholder:"URL" group:"Object stores (docs/stores.md):" help:"Google Cloud Storage server; Google's when absent."`
	GCSAccount      string `name:"gcs-account" env:"GOOGLE_APPLICATION_CREDENTIALS" placeholder:"FILE" group:"Object stores (docs/stores.md):" help:"Key file of a service account."`
	GCSAmbient      bool   `name:"gcs-ambient" group:"Object stores (docs/stores.md):" help:"Take credentials from where Google's tools have them."`
	StoreCA         string `name:"store-ca" env:"AZULEJO_STORE_CA" placeholder:"FILE" group:"Object stores (docs/stores.md):" help:"PEM file with the authorities that vouch for the servers."`
	StoreProxy      string `name:"store-proxy" placeholder:"URL" group:"Object stores (docs/stores.md):" help:"HTTP proxy to the servers."`
}

// stores returns the file system over all stores.
func (f storeFlags) stores() (*anystore.FS, error) {
	network := bucket.Network{CAFile: f.StoreCA, Proxy: f.StoreProxy}
	customer, err := base64.StdEncoding.DecodeString(os.Getenv("AZULEJO_S3_CUSTOMER_KEY"))
	if err != nil {
		return nil, fmt.Errorf("AZULEJO_S3_CUSTOMER_KEY is not base64")
	}
	if len(customer) == 0 {
		customer = nil
	}
	c := anystore.Config{
		S3: s3.Options{
			Endpoint: f.S3Endpoint, Region: f.S3Region, PathStyle: f.S3PathStyle, Ambient: f.S3Ambient,
			AccessKey: os.Getenv("AWS_ACCESS_KEY_ID"), SecretKey: os.Getenv("AWS_SECRET_ACCESS_KEY"), SessionToken: os.Getenv("AWS_SESSION_TOKEN"),
			Encryption: s3.Encryption{Managed: f.S3Encrypt, KMSKey: f.S3KMSKey, CustomerKey: customer}, Network: network,
			Options: bucket.Options{NoConditionalPut: f.S3Unconditional},
		},
		Azure: azblob.Options{
			Account: f.AzureAccount, Endpoint: f.AzureEndpoint, Key: os.Getenv("AZURE_STORAGE_KEY"), SAS: os.Getenv("AZURE_STORAGE_SAS_TOKEN"), Network: network,
		},
		GCS: gcs.Options{
			Endpoint: f.GCSEndpoint, Ambient: f.GCSAmbient, ServiceAccountFile: f.GCSAccount,
			AccessKey: os.Getenv("GCS_HMAC_KEY"), SecretKey: os.Getenv("GCS_HMAC_SECRET"), Network: network,
		},
	}
	if c.GCS.AccessKey != "" || c.GCS.Ambient {
		c.GCS.ServiceAccountFile = ""
	}
	return anystore.New(c), nil
}

// store returns the store of a URI or path, and the URI as the store takes it.
func (f storeFlags) store(uri string) (vfs.FS, string, error) {
	all, err := f.stores()
	if err != nil {
		return nil, "", err
	}
	uri, err = local(uri)
	if err != nil {
		return nil, "", err
	}
	fs, err := all.Backend(uri)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", uri, err)
	}
	return fs, uri, nil
}
