extension FlowTable {
    /// A flow.
    struct Entry {
        // What each packet reads stands first, together with the key in one cache line.
        private(set) var hash: UInt32 = 0
        var rank = Rank.single
        var state = State.open
        /// Whether the initiator has sent again after the responder's first packet.
        var wentOn = false
        /// Whether a packet came since the last interim record.
        var hasNews = true
        /// The table's clock at the flow's last packet.
        var clock: Int64 = 0
        var record = FlowRecord()

        /// Of no flow.
        static let blank = Entry()

        /// Cache lines that packets read and write, once a flow has had its first 16.
        static var hotLines: Int { @inline(__always) get { 7 } }

        @inline(__always)
        mutating func start(hash: UInt32, clock: Int64) {
            self.hash = hash
            self.clock = clock
        }
    }

    /// A flow's places in the table's lists. They stand apart from the flows and close together, since who moves one flow
    /// writes to its neighbours too.
    struct Node {
        var links = [2 of Links](repeating: Links())
        /// The table's clock when the flow's next interim record is due.
        var nextInterim: Int64 = 0
        var slot = Wheel.none
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

        mutating func append(_ number: UInt32, _ nodes: UnsafeMutablePointer<Node>) {
            unsafe nodes[Int(number)].links[Int(kind)] = Links(next: 0, previous: last)
            if last == 0 { first = number } else { unsafe nodes[Int(last)].links[Int(kind)].next = number }
            last = number
        }

        mutating func append(_ other: List, _ nodes: UnsafeMutablePointer<Node>) {
            guard other.first != 0 else { return }
            if last == 0 {
                first = other.first
            } else {
                unsafe nodes[Int(last)].links[Int(kind)].next = other.first
                unsafe nodes[Int(other.first)].links[Int(kind)].previous = last
            }
            last = other.last
        }

        mutating func remove(_ number: UInt32, _ nodes: UnsafeMutablePointer<Node>) {
            let own = unsafe nodes[Int(number)].links[Int(kind)]
            if own.previous == 0 {
                first = own.next
            } else {
                unsafe nodes[Int(own.previous)].links[Int(kind)].next = own.next
            }
            if own.next == 0 {
                last = own.previous
            } else {
                unsafe nodes[Int(own.next)].links[Int(kind)].previous = own.previous
            }
        }

        mutating func takeFirst(_ nodes: UnsafeMutablePointer<Node>) -> UInt32? {
            guard first != 0 else { return nil }
            let number = first
            unsafe remove(number, nodes)
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
        mutating func insert(_ number: UInt32, due: Int64, _ nodes: UnsafeMutablePointer<Node>) {
            guard due < .max else {
                unsafe nodes[Int(number)].slot = Self.none
                return
            }
            let ahead = min(max((due >> Self.shift) &+ 1 &- tick, 1), Self.slots - 1)
            let slot = Int((tick &+ ahead) & (Self.slots - 1))
            unsafe nodes[Int(number)].slot = UInt8(slot)
            unsafe lists[slot].append(number, nodes)
        }

        mutating func remove(_ number: UInt32, _ nodes: UnsafeMutablePointer<Node>) {
            let slot = unsafe nodes[Int(number)].slot
            guard slot != Self.none else { return }
            unsafe lists[Int(slot)].remove(number, nodes)
            unsafe nodes[Int(number)].slot = Self.none
        }

        /// - Returns: the flows to be looked at.
        mutating func advance(to clock: Int64, _ nodes: UnsafeMutablePointer<Node>) -> List {
            var waiting = List(List.wheel)
            let target = clock >> Self.shift
            guard tick != .min, target > tick else { return waiting }
            let (distance, overflows) = target.subtractingReportingOverflow(tick)
            let steps = overflows ? Self.slots : min(distance, Self.slots)
            for step in 0..<steps {
                let slot = Int((target &- step) & (Self.slots - 1))
                unsafe waiting.append(lists[slot], nodes)
                lists[slot] = List(List.wheel)
            }
            tick = target
            return waiting
        }
    }
}
