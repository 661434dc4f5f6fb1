import Flows
import Packets

/// Finds the lanes of an address or prefix: at most a few hundred, for tens of thousands of contacts a second.
struct FloodLaneIndex {
    /// Lanes with one address follow each other.
    private var ranges: [Range<Int>] = []
    private var keys: [Key] = []
    /// Numbers in these from 1; 0: free.
    private var places: [UInt16]
    private let mask: Int
    private(set) var hasPrefixes = false

    private struct Key: Equatable {
        var address: Address
        var family: Family
        var bits: UInt8
    }

    /// - Parameter lanes: in the order of their keys.
    init(_ lanes: [FloodLane]) {
        mask = max(16, (4 * lanes.count).nextPowerOfTwo) - 1
        places = [UInt16](repeating: 0, count: mask + 1)
        for place in lanes.indices where lanes[place].key.kind != .interface {
            let subject = lanes[place].key.subject
            let key = Key(address: subject.address, family: subject.family, bits: subject.prefixLength)
            if lanes[place].key.kind == .prefix { hasPrefixes = true }
            if keys.last == key {
                ranges[ranges.count - 1] = ranges[ranges.count - 1].lowerBound..<place + 1
                continue
            }
            keys.append(key)
            ranges.append(place..<place + 1)
            var slot = home(key)
            while places[slot] != 0 { slot = (slot + 1) & mask }
            places[slot] = UInt16(keys.count)
        }
    }

    private func home(_ key: Key) -> Int { Int(truncatingIfNeeded: key.address.mixed) & mask }

    private func find(_ key: Key) -> Range<Int> {
        var slot = home(key)
        while places[slot] != 0 {
            let number = Int(places[slot]) - 1
            if keys[number] == key { return ranges[number] }
            slot = (slot + 1) & mask
        }
        return 0..<0
    }

    func lanes(of address: Address, _ family: Family) -> Range<Int> {
        find(Key(address: address, family: family, bits: family == .ipv4 ? 32 : 128))
    }

    func lanes(ofPrefixWith address: Address, _ family: Family) -> Range<Int> {
        guard hasPrefixes else { return 0..<0 }
        let bits = FloodRows.prefixBits(family)
        return find(Key(address: address.prefix(bits, family), family: family, bits: bits))
    }
}

extension Int {
    fileprivate var nextPowerOfTwo: Int { 1 << (Int.bitWidth - (self - 1).leadingZeroBitCount) }
}
