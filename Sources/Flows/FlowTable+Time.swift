import CIntrinsics

extension FlowTable {
    /// Ends the flows that were silent for too long, and hands out interim records.
    /// - Returns: whether there are any: take them with ``FlowTables/drain(_:)`` before the next call.
    mutating func advance(to clock: Int64) -> Bool {
        var waiting = unsafe wheel.advance(to: clock, nodes)
        var scout = waiting.first
        for _ in 0..<Self.lead { scout = ask(scout, line: 0) }
        while let number = unsafe waiting.takeFirst(nodes) {
            scout = ask(scout, line: 0)
            let entry = unsafe entry(number)
            if clock > limit(number) {
                unsafe nodes[Int(number)].slot = Wheel.none
                finish(number, unsafe entry.pointee.state == .closed ? .closed : .idle)
                continue
            }
            if unsafe clock > nodes[Int(number)].nextInterim {
                let missed = unsafe (clock &- nodes[Int(number)].nextInterim) / interim
                unsafe nodes[Int(number)].nextInterim &+= (missed &+ 1) &* interim
                if unsafe entry.pointee.hasNews {
                    unsafe nodes[Int(number)].slot = Wheel.none
                    unsafe done.append(number, nodes)
                    continue
                }
            }
            unsafe wheel.insert(number, due: due(number), nodes)
        }
        return !done.isEmpty
    }

    /// How many flows ahead of the one that is looked at the memory is asked for.
    static let lead = 8

    /// Asks for a line of a flow.
    /// - Returns: the next in its list.
    @inline(__always)
    func ask(_ number: UInt32, line: Int) -> UInt32 {
        guard number != 0 else { return 0 }
        unsafe prefetch_line(memory(number) + line &* Self.line)
        return unsafe nodes[Int(number)].links[List.wheel].next
    }

    /// Ends all flows.
    mutating func stop() {
        for rank in 0..<3 {
            while !ranks[rank].isEmpty { finish(ranks[rank].first, .stopped) }
        }
    }

    /// The clock after which silence ends the flow.
    private func limit(_ number: UInt32) -> Int64 {
        let entry = unsafe entry(number)
        let patience = unsafe entry.pointee.state == .closed ? min(close, idle) : idle
        return (unsafe entry.pointee.clock).addingClamped(patience)
    }

    /// The clock at which the flow must be looked at.
    func due(_ number: UInt32) -> Int64 {
        unsafe min(limit(number), nodes[Int(number)].nextInterim)
    }
}

extension Int64 {
    /// The sum; for a time-out that never comes, the end of time.
    func addingClamped(_ other: Int64) -> Int64 {
        let (sum, overflows) = addingReportingOverflow(other)
        return overflows ? .max : sum
    }
}
