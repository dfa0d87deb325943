package outbound

import (
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// globalUnicast is all of IPv6 that is routed publicly (RFC 4291 §2.4). Outside of
// it are loopback, link-local, unique-local and multicast addresses, those that
// embed an IPv4 address (::ffff:0:0/96, 64:ff9b::/96, 64:ff9b:1::/48) and what
// nobody has assigned.
var globalUnicast = netip.MustParsePrefix("2000::/3")

// special are the ranges of the IANA special-purpose address registries (RFC 6890)
// that have no place in a public address, although some of them are reachable.
var special = prefixes(
	"0.0.0.0/8",        // this network, RFC 791 §3.2
	"10.0.0.0/8",       // private, RFC 1918
	"100.64.0.0/10",    // shared, RFC 6598
	"127.0.0.0/8",      // loopback, RFC 1122 §3.2.1.3
	"169.254.0.0/16",   // link-local, RFC 3927; metadata services of clouds
	"172.16.0.0/12",    // private, RFC 1918
	"192.0.0.0/24",     // protocol assignments, RFC 6890 §2.1
	"192.0.2.0/24",     // documentation, RFC 5737
	"192.31.196.0/24",  // AS112, RFC 7535
	"192.52.193.0/24",  // AMT, RFC 7450
	"192.88.99.0/24",   // 6to4 relays, RFC 7526
	"192.168.0.0/16",   // private, RFC 1918
	"192.175.48.0/24",  // AS112, RFC 7534
	"198.18.0.0/15",    // benchmarks, RFC 2544
	"198.51.100.0/24",  // documentation, RFC 5737
	"203.0.113.0/24",   // documentation, RFC 5737
	"224.0.0.0/4",      // multicast, RFC 5771
	"240.0.0.0/4",      // reserved and broadcast, RFC 1112 §4, RFC 8190
	"168.63.129.16/32", // public by its form, yet Azure's own host service

	"2001::/23",         // protocol assignments: Teredo, benchmarks, ORCHID
	"2001:db8::/32",     // documentation, RFC 3849
	"2002::/16",         // 6to4, which embeds an IPv4 address, RFC 3056
	"2620:4f:8000::/48", // AS112, RFC 7534
	"3fff::/20",         // documentation, RFC 9637
)

// private are the special ranges in which a host that the operator named may be.
// Metadata services of clouds are link-local and so are never among them.
var private = prefixes(
	"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "::1/128", "fc00::/7",
)

func prefixes(texts ...string) []netip.Prefix {
	parsed := make([]netip.Prefix, 0, len(texts))
	for _, text := range texts {
		parsed = append(parsed, netip.MustParsePrefix(text))
	}
	return parsed
}

// isPublic reports whether the address belongs to the public internet. An IPv4
// address in the clothes of IPv6 does not, whichever it is.
func isPublic(address netip.Addr) bool {
	routed := address.Is4() || address.Zone() == "" && globalUnicast.Contains(address)
	return routed && !within(special, address)
}

func within(ranges []netip.Prefix, address netip.Addr) bool {
	return slices.ContainsFunc(ranges, func(p netip.Prefix) bool { return p.Contains(address) })
}

// mayDial returns what a net.Dialer asks before it connects, when the address is
// final: nothing that DNS answers later is dialled instead.
func mayDial(privateHost bool) func(network, address string, c syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		target, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("%w: it cannot be read", ErrForbiddenAddress)
		}
		if isPublic(target.Addr()) || privateHost && target.Addr().Zone() == "" && within(private, target.Addr()) {
			return nil
		}
		return ErrForbiddenAddress
	}
}
