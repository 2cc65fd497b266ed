// registry LOGIN PASSWORDS serve CONFIG: the distribution project's registry with what a test needs of it: files as storage,
// one user. LOGIN is a folder with the files `username` and `password`, as Kubernetes mounts a Secret; PASSWORDS is where
// the password file goes that CONFIG names. The project's own main package links the storage drivers of three clouds as
// well, which take longer to compile than all the rest.
package main

import (
	"log"
	"os"
	"path/filepath"

	"github.com/distribution/distribution/v3/registry"
	_ "github.com/distribution/distribution/v3/registry/auth/htpasswd"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
	"golang.org/x/crypto/bcrypt"
)

func main() {
	if len(os.Args) != 5 {
		log.Fatal("usage: registry LOGIN PASSWORDS serve CONFIG")
	}
	login, passwords := os.Args[1], os.Args[2]
	if err := writePasswords(login, passwords); err != nil {
		log.Fatal(err)
	}
	registry.RootCmd.SetArgs(os.Args[3:])
	if registry.RootCmd.Execute() != nil { // it has said why
		os.Exit(1)
	}
}

func writePasswords(login, passwords string) error {
	username, err := os.ReadFile(filepath.Join(login, "username"))
	if err != nil {
		return err
	}
	password, err := os.ReadFile(filepath.Join(login, "password"))
	if err != nil {
		return err
	}
	hash, err := bcrypt.GenerateFromPassword(password, bcrypt.MinCost)
	if err != nil {
		return err
	}
	return os.WriteFile(passwords, []byte(string(username)+":"+string(hash)+"\n"), 0o600)
}
