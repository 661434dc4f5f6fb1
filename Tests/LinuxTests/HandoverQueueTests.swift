import Linux
import Testing

@Suite struct HandoverQueueTests {
    @Test func itemsComeOutInOrderAndCut() {
        let queue = HandoverQueue<UInt32>(slots: 4, bytes: 3)
        for number in UInt32(0)..<3 {
            let bytes = [UInt8](repeating: UInt8(number), count: Int(number) + 2)
            let isTaken = unsafe queue.push(number, bytes.span.bytes)
            #expect(isTaken)
        }
        var seen: [(UInt32, [UInt8])] = []
        let count = queue.drain { header, bytes in
            seen.append((header, unsafe bytes.withUnsafeBytes { unsafe Array($0) }))
        }
        #expect(count == 3)
        #expect(seen.map(\.0) == [0, 1, 2])
        #expect(seen.map(\.1) == [[0, 0], [1, 1, 1], [2, 2, 2]])
        #expect(queue.drain { _, _ in } == 0)
    }

    @Test func aFullQueueRefusesAndCounts() {
        let queue = HandoverQueue<UInt8>(slots: 2, bytes: 8)
        let bytes: [UInt8] = [1]
        let taken = (1...3).map { unsafe queue.push($0, bytes.span.bytes) }
        #expect(taken == [true, true, false])
        #expect(queue.refused == 1)
        var headers: [UInt8] = []
        queue.drain { header, _ in headers.append(header) }
        #expect(headers == [1, 2])
        let isTakenAgain = unsafe queue.push(4, bytes.span.bytes)
        #expect(isTakenAgain)
        #expect(queue.refused == 1)
    }

    @Test func twoThreadsLoseAndMixNothing() throws {
        let queue = HandoverQueue<UInt64>(slots: 64, bytes: 32)
        let total: UInt64 = 200_000
        let producer = try Worker(name: "producer") {
            var number: UInt64 = 0
            while number < total {
                let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: Int(number % 33))
                if unsafe queue.push(number, bytes.span.bytes) { number += 1 }
            }
        }
        var expected: UInt64 = 0
        var wrong = 0
        while expected < total {
            queue.drain { number, bytes in
                let fill = UInt8(truncatingIfNeeded: number)
                let isWhole = bytes.byteCount == Int(number % 33)
                let isSame = unsafe bytes.withUnsafeBytes { unsafe $0.allSatisfy { $0 == fill } }
                if number != expected || !isWhole || !isSame { wrong += 1 }
                expected += 1
            }
        }
        producer.join()
        #expect(expected == total)
        #expect(wrong == 0)
    }
}
