module sshwire.example/go

go 1.19
