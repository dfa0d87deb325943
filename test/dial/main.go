// Command dial connects by TCP and hangs up: what a pod can reach that is not meant to.
// The end-to-end tests run it where an attacker would be.
//
//	dial HOST:PORT
//
// It exits 0 when it got through, and 1, with the reason, when it did not in 5 seconds.
package main

import (
	"fmt"
	"net"
	"os"
	"time"
)

const patience = 5 * time.Second

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: dial HOST:PORT")
		os.Exit(2)
	}
	if err := dial(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("connected to", os.Args[1])
}

func dial(address string) error {
	connection, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return err
	}
	return connection.Close()
}
