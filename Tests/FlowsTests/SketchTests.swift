import Support
import Testing

@testable import Flows

struct SketchTests {
    @Test(arguments: [10, 1_000, 50_000, 1_000_000])
    func `Distinct things are counted to about three standard errors`(count: Int) {
        var random = SeededGenerator(seed: UInt64(count))
        var counter = DistinctCounter()
        for _ in 0..<count {
            let hash: UInt64 = random.next()
            counter.add(hash)
            counter.add(hash)
        }
        let error = abs(counter.estimate - Double(count)) / Double(count)
        #expect(error < 0.11, "\(counter.estimate)")
    }

    @Test func `Counters of two shards merge to that of both`() {
        var random = SeededGenerator(seed: 3)
        var (left, right, both) = (DistinctCounter(), DistinctCounter(), DistinctCounter())
        for place in 0..<5_000 {
            let hash: UInt64 = random.next()
            if place % 3 == 0 { left.add(hash) } else { right.add(hash) }
            both.add(hash)
        }
        left.merge(right)
        #expect(left == both)
        #expect(DistinctCounter().estimate == 0)
    }

    @Test func `What exceeds its share is among the largest, with its error stated`() {
        var random = SeededGenerator(seed: 9)
        var top = TopCounts<Int>(capacity: 50)
        var exact: [Int: Double] = [:]
        for _ in 0..<100_000 {
            let heavy: UInt64 = random.next() % 10
            let key = heavy < 3 ? Int(heavy) : Int((random.next() as UInt64) % 20_000) + 10
            top.add(key)
            exact[key, default: 0] += 1
        }
        let largest = top.largest(50)
        for (key, count) in exact where count > top.total / 50 {
            let entry = largest.first { $0.key == key }
            #expect(entry != nil)
            guard let entry else { continue }
            #expect(entry.count >= count && entry.count - entry.error <= count)
        }
        #expect(top.total == 100_000)
    }
}
