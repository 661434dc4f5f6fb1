public import Packets

/// What detectors are told of one window: of one worker's shards, or of all.
///
/// A window is 2^30 ns of the packets' clock, about a second, and begins with a whole multiple of that: live and in a replay,
/// and on any number of workers, the same packets are in the same windows.
public struct Observation: Sendable {
    /// What there was no room for.
    public struct Missed: Equatable, Sendable {
        public var contacts: UInt64 = 0
        public var flows: UInt64 = 0
        public var traffic = TrafficVolume()
    }

    /// Nanoseconds of a window.
    public static let length: Int64 = 1 << shift
    static let shift: Int64 = 30

    /// Number of the window: its start divided by its length.
    public let number: Int64
    /// For whom packets were; once it is settled, each key once and in order.
    public internal(set) var volumes: [(key: TrafficKey, volume: TrafficVolume)] = []
    /// Who spoke to whom for the first time; in the order of time once it is settled.
    public internal(set) var contacts: [Contact] = []
    /// Flows that ended or go on, of more than one packet; in the order of their first packets once it is settled.
    public internal(set) var flows: [FlowDigest] = []
    /// Some of the packets, evenly over time and shards.
    public internal(set) var samples: [PacketSummary] = []
    public internal(set) var missed = Missed()
    /// What one packet of each sampling class stood for at the end, in the order of ``SamplingClass``: 1 where all were read.
    /// ``volumes`` are told with it; contacts and flows are those that were seen.
    public var weights = [4 of Double](repeating: 1)
    /// Samples that ``without(_:)`` took out.
    public private(set) var samplesLeftOut: [PacketSummary] = []

    public init(number: Int64) { self.number = number }

    /// Made, not seen: for tests of what reads it.
    public init(
        number: Int64,
        volumes: [(key: TrafficKey, volume: TrafficVolume)] = [],
        contacts: [Contact] = [],
        flows: [FlowDigest] = [],
        samples: [PacketSummary] = []
    ) {
        self.number = number
        self.volumes = volumes
        self.contacts = contacts
        self.flows = flows
        self.samples = samples
        settle()
    }

    /// Nanoseconds on the packets' clock; `end` is not in the window.
    public var start: Int64 { number &* Self.length }
    public var end: Int64 { (number &+ 1) &* Self.length }

    /// Takes in what another worker saw of the same window.
    public mutating func merge(_ other: Observation) {
        precondition(number == other.number, "observations of different windows cannot be merged")
        volumes += other.volumes
        contacts += other.contacts
        flows += other.flows
        samples += other.samples
        missed.contacts += other.missed.contacts
        missed.flows += other.missed.flows
        missed.traffic += other.missed.traffic
        for place in weights.indices { weights[place] = max(weights[place], other.weights[place]) }
    }

    /// Puts everything in its order, after the last was merged: it no longer tells how many workers there were.
    public mutating func settle() {
        contacts.sort(by: Contact.isTold)
        flows.sort(by: FlowDigest.isTold)
        samples.sort { $0.time < $1.time }
        volumes.sort { $0.key < $1.key }
        var kept = 0
        for place in volumes.indices {
            if kept > 0, volumes[kept - 1].key == volumes[place].key {
                volumes[kept - 1].volume += volumes[place].volume
            } else {
                volumes[kept] = volumes[place]
                kept += 1
            }
        }
        volumes.removeSubrange(kept...)
    }

    /// The same without the contacts, flows and samples of some; volumes do not tell whose they are.
    /// - Parameter isLeftOut: of an initiator, and the service that it asks.
    public func without(_ isLeftOut: (Address, Family, UInt16) -> Bool) -> Observation {
        var rest = self
        rest.contacts.removeAll { isLeftOut($0.initiator, $0.family, $0.responderPort) }
        rest.flows.removeAll { isLeftOut($0.initiator, $0.family, $0.responderPort) }
        let isSampleLeftOut = { (sample: PacketSummary) in
            isLeftOut(sample.packet.source, sample.packet.family, sample.packet.destinationPort)
        }
        rest.samplesLeftOut = samples.filter(isSampleLeftOut)
        rest.samples.removeAll(where: isSampleLeftOut)
        return rest
    }
}
