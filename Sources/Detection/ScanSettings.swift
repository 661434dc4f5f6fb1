/// When failed first contacts are called a scan. What a contact is and when it fails: ``ScanDetector``.
public struct ScanSettings: Equatable, Sendable {
    /// Ports of one host that one source tried in vain within ``span``: a vertical scan (Zeek's scan.zeek: 15 in 5 min).
    public var ports = 15.0
    /// Hosts that one source tried in vain within ``span``, all on at most ``portsOfHorizontal`` ports: a horizontal scan
    /// (Zeek's scan.zeek and bro-simple-scan: 25).
    public var hosts = 25.0
    /// Pairs of host and port that one source tried in vain within ``span``, of more hosts and ports than that: a block
    /// scan (bro-simple-scan: 25).
    public var pairs = 25.0
    /// Nanoseconds in which these are counted.
    public var span: Int64 = 300_000_000_000
    /// Ports at most for a scan to be called horizontal, and hosts at most to be called vertical (bro-simple-scan: 5).
    public var portsOfHorizontal = 5
    /// By how much these levels, and ``slow``, are lower where the source is one of our own hosts: one that scans is
    /// infected, and there are few of them.
    public var outbound = 0.6
    /// Ports on which clients fail every day for no ill reason: of the web, of DNS, and of file sharing, whose clients keep
    /// lists of peers that are mostly gone (Gnutella, BitTorrent, eDonkey). A host tried on these alone counts
    /// ``popularWeight`` to a horizontal scan.
    public var popular: Set<UInt16> = [53, 80, 443, 4662, 4672, 6346, 6347, 6881, 6882, 6883, 6889, 51413]
    /// Of a host, 0 ... 1 (scan-NG's "knock-knock" asks 12 hosts on popular ports where 3 on rare ones are enough).
    public var popularWeight = 0.25

    /// Targets tried in vain, less those forgotten since: a slow scan.
    public var slow = 10.0
    /// Nanoseconds after which one target of ``slow`` is forgotten. At one probe in 5 min the level is reached in an hour.
    public var forgets: Int64 = 1_200_000_000_000
    /// Nanoseconds that a slow scan lasts at least: quicker ones are found by the other levels or not at all.
    public var slowSpan: Int64 = 600_000_000_000
    /// Nanoseconds between two probes of one slow scan, at most, for it to be one incident.
    public var slowPatience: Int64 = 1_800_000_000_000

    /// Nanoseconds after which what was not answered has failed (field practice: 5 s).
    public var silence: Int64 = 5_000_000_000
    /// How much likelier than a client a scanner must be to have met what a source has met, for all but vertical scans:
    /// Jung et al. 2004, with their probabilities of success 0.8 and 0.2, detection 0.99, false alarm 0.01.
    public var likelihood = 99.0

    /// Ports of one host that many sources together tried in vain within ``span``: a distributed scan. A public host meets
    /// about ten in that time from the noise of the Internet.
    public var distributedPorts = 50.0
    /// Sources of it.
    public var distributedSources = 10.0
    /// Ports tried for each pair of source and port, 0 ... 1, for the sources to be one: who shares the work does not do it
    /// twice, while scanners that know nothing of each other all try the same few ports.
    public var division = 0.7
    /// Failed contacts of one host in a second above which many sources are a flood and no scan.
    public var distributedRate = 1_000.0

    /// Contacts whose outcome is waited for.
    public var pending = 16_384
    /// Sources of which one failed contact is known.
    public var sources = 65_536
    /// Sources that failed at two targets or more.
    public var suspects = 640
    /// Hosts that are watched for distributed scans.
    public var victims = 128

    public init() {}
}
