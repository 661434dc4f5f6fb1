import CIntrinsics

extension FlowTable {
    /// Whether no more than one flow waits to be taken.
    var hasOneDone: Bool { done.first == done.last }

    /// Hands out the one flow that waits to be taken.
    mutating func drainOne(_ body: (borrowing FlowRecord) -> Void) {
        guard let number = unsafe done.takeFirst(nodes) else { return }
        visit(number, body)
        release(number)
    }

    /// A flow that waits to be taken, with what nearly always tells its place in the row.
    struct Ended {
        let first: Int64
        let number: UInt32
        let shard: UInt32
    }

    /// Adds what has ended, in no order; each must be released.
    mutating func takeDone(_ shard: UInt32, _ ended: inout [Ended]) {
        var scout = done.first
        for _ in 0..<Self.lead { scout = ask(scout, line: 1) }
        var number = done.first
        while number != 0 {
            scout = ask(scout, line: 1)
            let first = unsafe entry(number).pointee.record.features.first
            ended.append(Ended(first: first, number: number, shard: shard))
            number = unsafe nodes[Int(number)].links[List.wheel].next
        }
        done = List(List.wheel)
    }

    /// Asks for all of a flow's record.
    @inline(__always)
    func prefetchRecord(_ number: UInt32) {
        let start = unsafe memory(number)
        for line in 0..<Self.stride / Self.line { unsafe prefetch_line(start + line &* Self.line) }
    }

    @inline(__always)
    func visit(_ number: UInt32, _ body: (borrowing FlowRecord) -> Void) {
        unsafe body(entry(number).pointee.record)
    }

    func key(_ number: UInt32) -> FlowKey { unsafe entry(number).pointee.record.key }

    /// Frees an ended flow's entry; a flow that goes on is put back.
    mutating func release(_ number: UInt32) {
        let entry = unsafe entry(number)
        if observes { unsafe watch.add(entry.pointee.record) }
        if unsafe entry.pointee.record.end == .interim {
            unsafe entry.pointee.record.tell()
            unsafe entry.pointee.hasNews = false
            unsafe wheel.insert(number, due: due(number), nodes)
        } else {
            unsafe nodes[Int(number)].links[List.wheel].next = pool.pointee.free
            unsafe pool.pointee.free = number
        }
    }

    @inline(never)
    mutating func finish(_ number: UInt32, _ end: FlowEnd) {
        let entry = unsafe entry(number)
        unsafe entry.pointee.record.finish(end)
        if scope != .none {
            unsafe histograms.end(&entry.pointee.record.forwardFirstBytes)
            unsafe histograms.end(&entry.pointee.record.backwardFirstBytes)
        }
        unsafe remove(number, entry.pointee.hash)
        unsafe ranks[Int(entry.pointee.rank.rawValue)].remove(number, nodes)
        unsafe wheel.remove(number, nodes)
        unsafe done.append(number, nodes)
        count -= 1
        counters.ended &+= 1
    }

    /// Ends the flow that is missed the least.
    @inline(never)
    mutating func evict(_ clock: Int64) {
        counters.evicted &+= 1
        if !ranks[0].isEmpty { return finish(ranks[0].first, .evicted) }
        counters.evictedEstablished &+= 1
        for rank in 1..<3 {
            // Who was heard of within a second goes to the end of the row, but not without end.
            for _ in 0..<8 {
                let number = ranks[rank].first
                guard number != 0, unsafe clock &- entry(number).pointee.clock < 1_000_000_000 else { break }
                unsafe ranks[rank].remove(number, nodes)
                unsafe ranks[rank].append(number, nodes)
            }
            if !ranks[rank].isEmpty { return finish(ranks[rank].first, .evicted) }
        }
    }
}
