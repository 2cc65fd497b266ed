// git-server FOLDER ADDRESS: git repositories over HTTP for whoever asks, to read and to push. The protocol is spoken by
// git's own http-backend: pure Go servers lack what Flux asks for, a clone without history. A repository begins to exist
// with the first request for /NAME.git.
package main

import (
	"fmt"
	"log"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
)

const backend = "/usr/lib/git-core/git-http-backend"

var repositoryPath = regexp.MustCompile(`^/([a-z0-9-]+\.git)/`)

type server struct {
	folder  string
	git     cgi.Handler
	creates sync.Mutex
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: git-server FOLDER ADDRESS")
	}
	folder := os.Args[1]
	s := &server{folder: folder, git: cgi.Handler{
		Path: backend,
		Env: []string{
			"GIT_PROJECT_ROOT=" + folder,
			"GIT_HTTP_EXPORT_ALL=1",
			"REMOTE_USER=anybody", // only somebody may push
		},
		InheritEnv: []string{"HOME"},
	}}
	http.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	http.Handle("/", s)
	log.Fatal(http.ListenAndServe(os.Args[2], nil))
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := repositoryPath.FindStringSubmatch(r.URL.Path)
	if name == nil {
		http.NotFound(w, r)
		return
	}
	if err := s.create(filepath.Join(s.folder, name[1])); err != nil {
		log.Print(err)
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.git.ServeHTTP(w, r)
}

func (s *server) create(repository string) error {
	s.creates.Lock()
	defer s.creates.Unlock()
	if _, err := os.Stat(repository); err == nil {
		return nil
	}
	output, err := exec.Command("git", "init", "--bare", "--initial-branch=main", repository).CombinedOutput()
	if err != nil {
		return fmt.Errorf("git init %s: %w: %s", repository, err, output)
	}
	return nil
}
