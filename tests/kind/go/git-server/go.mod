module kind/git-server

go 1.24.0
