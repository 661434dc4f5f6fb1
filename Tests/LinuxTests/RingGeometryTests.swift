import Glibc
import Testing

@testable import Linux

@Suite struct RingGeometryTests {
    @Test(arguments: [
        // rings, block size, blocks
        (1, 1 << 20, 32), (2, 1 << 20, 16), (3, 256 << 10, 42), (8, 256 << 10, 16), (9, 64 << 10, 56),
        (128, 64 << 10, 4),
    ])
    func theDefaultBudgetIsShared(rings: Int, blockSize: Int, blockCount: Int) {
        #expect(RingGeometry.sharing(rings: rings) == RingGeometry(blockSize: blockSize, blockCount: blockCount))
    }

    @Test func allRingsTogetherNeverExceedTheBudget() {
        for megabytes in [1, 4, 32, 100, 1024] {
            for rings in 1...600 {
                guard let geometry = RingGeometry.sharing(megabytes << 20, rings: rings) else {
                    #expect((megabytes << 20) / rings < 256 << 10)
                    continue
                }
                #expect(geometry.byteCount * rings <= megabytes << 20)
                #expect(geometry.blockCount >= 4)
            }
        }
    }

    @Test func aBudgetTooSmallIsRefused() {
        #expect(RingGeometry.sharing(rings: 129) == nil)
        #expect(RingGeometry.sharing(0, rings: 1) == nil)
    }

    @Test func lackOfMemoryHalvesTheRing() throws {
        var asked: [Int] = []
        let made = try PacketSocket.largestRing(RingGeometry(blockSize: 65536, blockCount: 33)) {
            (geometry: RingGeometry) throws(SystemError) in
            asked.append(geometry.blockCount)
            if geometry.blockCount > 5 { throw SystemError("ring", Errno(rawValue: ENOMEM)) }
        }
        #expect(asked == [33, 16, 8, 4])
        #expect(made.blockCount == 4)
    }

    @Test func lackOfMemoryForOneBlockIsAnError() {
        #expect(throws: SystemError("ring", Errno(rawValue: ENOMEM))) {
            try PacketSocket.largestRing(RingGeometry(blockSize: 65536, blockCount: 4)) {
                (_: RingGeometry) throws(SystemError) in
                throw SystemError("ring", Errno(rawValue: ENOMEM))
            }
        }
    }

    @Test func anotherErrorIsNotRetried() {
        var attempts = 0
        #expect(throws: SystemError("ring", Errno(rawValue: EPERM))) {
            try PacketSocket.largestRing(RingGeometry(blockSize: 65536, blockCount: 4)) {
                (_: RingGeometry) throws(SystemError) in
                attempts += 1
                throw SystemError("ring", Errno(rawValue: EPERM))
            }
        }
        #expect(attempts == 1)
    }
}
