extension FlowTable {
    /// A flow and its places in the table's lists.
    struct Entry {
        // What each packet reads stands first, together with the key in one cache line.
        let hash: UInt32
        var slot = Wheel.none
        var rank = Rank.single
        var state = State.open
        /// The table's clock at the flow's last packet.
        var clock: Int64
        var record: FlowRecord
        /// The table's clock at the flow's first packet, and when its next interim record is due.
        let start: Int64
        var nextInterim: Int64
        var links = [2 of Links](repeating: Links())

        @inline(__always)
        init(_ record: FlowRecord, hash: UInt32, clock: Int64, interim: Int64) {
            self.record = record
            self.hash = hash
            start = clock
            self.clock = clock
            nextInterim = clock.addingReportingOverflow(interim).overflow ? .max : clock &+ interim
        }
    }

    /// In which order flows make room.
    enum Rank: UInt8 {
        case single
        case unanswered
        case answered
    }

    /// What TCP flags have said.
    struct State: OptionSet {
        let rawValue: UInt8
        static let open: State = []
        static let forwardFIN = State(rawValue: 1)
        static let backwardFIN = State(rawValue: 2)
        static let closed: State = [.forwardFIN, .backwardFIN]
    }

    /// The neighbours in a list; 0: none.
    struct Links {
        var next: UInt32 = 0
        var previous: UInt32 = 0
    }

    /// A doubly linked list through the entries, by one of their two pairs of links.
    struct List {
        static let wheel = 0
        static let rank = 1

        private let kind: UInt8
        private(set) var first: UInt32 = 0
        private(set) var last: UInt32 = 0

        init(_ kind: Int) { self.kind = UInt8(kind) }

        var isEmpty: Bool { first == 0 }

        mutating func append(_ number: UInt32, _ entries: UnsafeMutablePointer<Entry>) {
            unsafe entries[Int(number)].links[Int(kind)] = Links(next: 0, previous: last)
            if last == 0 { first = number } else { unsafe entries[Int(last)].links[Int(kind)].next = number }
            last = number
        }

        mutating func append(_ other: List, _ entries: UnsafeMutablePointer<Entry>) {
            guard other.first != 0 else { return }
            if last == 0 {
                first = other.first
            } else {
                unsafe entries[Int(last)].links[Int(kind)].next = other.first
                unsafe entries[Int(other.first)].links[Int(kind)].previous = last
            }
            last = other.last
        }

        mutating func remove(_ number: UInt32, _ entries: UnsafeMutablePointer<Entry>) {
            let own = unsafe entries[Int(number)].links[Int(kind)]
            if own.previous == 0 {
                first = own.next
            } else {
                unsafe entries[Int(own.previous)].links[Int(kind)].next = own.next
            }
            if own.next == 0 {
                last = own.previous
            } else {
                unsafe entries[Int(own.next)].links[Int(kind)].previous = own.previous
            }
        }

        mutating func takeFirst(_ entries: UnsafeMutablePointer<Entry>) -> UInt32? {
            guard first != 0 else { return nil }
            let number = first
            unsafe remove(number, entries)
            return number
        }
    }

    /// Flows by the second in which they must be looked at. A packet moves nothing: a flow whose time has not come when its
    /// second has is put further on.
    struct Wheel {
        private static let slots: Int64 = 128
        /// Of no slot.
        static let none = UInt8.max
        /// A tick is 2^30 ns, about a second.
        private static let shift: Int64 = 30

        private var lists = [128 of List](repeating: List(List.wheel))
        private var tick = Int64.min

        /// Sets the time of a wheel that has none yet.
        mutating func start(at clock: Int64) {
            if tick == .min { tick = clock >> Self.shift }
        }

        /// - Parameter due: the clock after which the flow must be looked at; at the end of time it never is.
        mutating func insert(_ number: UInt32, due: Int64, _ entries: UnsafeMutablePointer<Entry>) {
            guard due < .max else {
                unsafe entries[Int(number)].slot = Self.none
                return
            }
            let ahead = min(max((due >> Self.shift) &+ 1 &- tick, 1), Self.slots - 1)
            let slot = Int((tick &+ ahead) & (Self.slots - 1))
            unsafe entries[Int(number)].slot = UInt8(slot)
            unsafe lists[slot].append(number, entries)
        }

        mutating func remove(_ number: UInt32, _ entries: UnsafeMutablePointer<Entry>) {
            let slot = unsafe entries[Int(number)].slot
            guard slot != Self.none else { return }
            unsafe lists[Int(slot)].remove(number, entries)
            unsafe entries[Int(number)].slot = Self.none
        }

        /// - Returns: the flows to be looked at.
        mutating func advance(to clock: Int64, _ entries: UnsafeMutablePointer<Entry>) -> List {
            var waiting = List(List.wheel)
            let target = clock >> Self.shift
            guard tick != .min, target > tick else { return waiting }
            let (distance, overflows) = target.subtractingReportingOverflow(tick)
            let steps = overflows ? Self.slots : min(distance, Self.slots)
            for step in 0..<steps {
                let slot = Int((target &- step) & (Self.slots - 1))
                unsafe waiting.append(lists[slot], entries)
                lists[slot] = List(List.wheel)
            }
            tick = target
            return waiting
        }
    }
}
