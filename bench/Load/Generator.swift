import Linux
import Support
import Synchronization

/// Sends one kind of live frame on the last processor, at full rate, until it is told to end.
struct Generator: ~Copyable {
    /// What the generator itself knows: a frame it sent, it sent.
    final class Account: Sendable {
        let frames = SingleWriterCounter()
        /// Nanoseconds from the first call to the end of the last.
        let time = SingleWriterCounter()
        let isEnding = Atomic(false)
        let failure = Mutex<SystemError?>(nil)
    }

    private let account: Account
    private let worker: Worker
    private let length: Int

    /// Frames that one call sends: every call sets up its frames and takes them down again, which takes 30 ms.
    private static let chunk: Int32 = 262_144

    /// - Parameter frame: Ethernet, IPv4, TCP or UDP; towards no MAC address of this host, so that the stack drops it
    ///   right behind the counters and the ring, and no answer mixes in.
    init(_ frame: [UInt8], _ variation: LiveFrames.Variation, to interface: String = VethPair.near) throws {
        let frames = try LiveFrames(to: VethPair.index(of: interface), variation)
        let account = Account()
        let worker = try Worker(name: "generator", processor: Processors.online - 1, owning: frames) {
            (frames: consuming LiveFrames) in
            let start = Clock.monotonic.now()
            while !account.isEnding.load(ordering: .relaxed) {
                do throws(SystemError) {
                    try frames.send(frame, count: Self.chunk)
                } catch {
                    account.failure.withLock { $0 = error }
                    return
                }
                account.frames.add(UInt64(Self.chunk))
                account.time.add(UInt64(Clock.monotonic.now() - start) - account.time.load())
            }
        }
        self.account = account
        self.worker = worker
        length = frame.count
    }

    struct Sent {
        var frames: UInt64
        var bytes: UInt64
        var perSecond: Double
    }

    consuming func end() throws -> Sent {
        account.isEnding.store(true, ordering: .relaxed)
        let (account, length) = (account, length)
        worker.join()
        if let failure = account.failure.withLock({ $0 }) { throw failure }
        let frames = account.frames.load()
        return Sent(
            frames: frames,
            bytes: frames * UInt64(length),
            perSecond: Double(frames) / Double(account.time.load()) * 1e9
        )
    }
}
