package sshwire

// Known is how many channels Go knows.
func Known() int {
	channels.Lock()
	defer channels.Unlock()
	return len(channels.known)
}
