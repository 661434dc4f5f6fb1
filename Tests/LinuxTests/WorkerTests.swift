import Glibc
import Synchronization
import Testing

@testable import Linux

@Suite struct WorkerTests {
    @Test func aWorkerHasItsNameAndOwnsItsState() throws {
        let event = try Event()
        let name = Mutex("")
        let pipe = try event.descriptor.duplicate()
        let number = pipe.rawValue
        let worker = try Worker(name: "weir-test-name-that-is-long", owning: pipe) { (pipe: consuming Descriptor) in
            name.withLock { $0 = threadStatus("Name") }
            #expect(pipe.rawValue == number)
        }
        worker.join()
        #expect(name.withLock { $0 } == "weir-test-name-")
        // The state ended with the thread.
        #expect(fcntl(number, F_GETFD, 0) == -1)
    }

    @Test func aWorkerStaysOnItsProcessor() throws {
        let allowed = Mutex("")
        let last = Processors.online - 1
        let worker = try Worker(name: "pinned", processor: last) {
            allowed.withLock { $0 = threadStatus("Cpus_allowed_list") }
        }
        worker.join()
        #expect(allowed.withLock { $0 } == "\(last)")
    }

    @Test func signalsAreBlockedInWorkers() throws {
        let blocked = Mutex(false)
        let worker = try Worker(name: "signals") {
            var set = sigset_t()
            _ = unsafe pthread_sigmask(SIG_BLOCK, nil, &set)
            let isBlocked = unsafe sigismember(&set, SIGTERM) == 1
            blocked.withLock { $0 = isBlocked }
        }
        worker.join()
        #expect(blocked.withLock { $0 })
    }

    @Test func aSignalCanBeRead() throws {
        // A thread of its own: the mask of a test's thread would stay changed.
        let got = Mutex<[Int32?]>([])
        let worker = try Worker(name: "signalfd") {
            do {
                let source = try SignalSource([SIGUSR2])
                let before = try source.next()
                _ = pthread_kill(pthread_self(), SIGUSR2)
                let after = try source.next()
                got.withLock { $0 = [before, after] }
            } catch {
                Issue.record(error)
            }
        }
        worker.join()
        #expect(got.withLock { $0 } == [nil, SIGUSR2])
    }

    @Test func anEventWakesAPoller() throws {
        let event = try Event()
        var poller = Poller()
        let place = poller.add(event.descriptor)
        #expect(try poller.wait(milliseconds: 0) == 0)
        let worker = try Worker(name: "waker") { event.signal() }
        #expect(try poller.wait(milliseconds: 5000) == 1)
        worker.join()
        #expect(poller[place] == Poller.Readiness(isReadable: true, hasFailed: false))
        #expect(event.clear())
        #expect(!event.clear())
        #expect(try poller.wait(milliseconds: 0) == 0)
    }

    @Test func aRemovedPlaceIsSilentAndUsedAgain() throws {
        let event = try Event()
        event.signal()
        var poller = Poller()
        let place = poller.add(event.descriptor)
        poller.remove(place)
        #expect(try poller.wait(milliseconds: 0) == 0)
        #expect(poller.add(event.descriptor) == place)
        #expect(try poller.wait(milliseconds: 0) == 1)
    }

    @Test func aCounterCountsForItsReader() throws {
        let counter = SharedCounter()
        let worker = try Worker(name: "counter") {
            for _ in 0..<1000 { counter.value.add(3) }
        }
        worker.join()
        #expect(counter.value.load() == 3000)
    }
}

private final class SharedCounter: Sendable {
    let value = SingleWriterCounter()
}

/// A field of the calling thread's status file.
func threadStatus(_ field: String) -> String {
    guard let file = unsafe fopen("/proc/thread-self/status", "r") else { return "" }
    defer { unsafe fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 8192)
    let count = unsafe fread(&bytes, 1, bytes.count, file)
    let lines = String(decoding: bytes.prefix(count), as: UTF8.self).split(separator: "\n")
    guard let line = lines.first(where: { $0.hasPrefix("\(field):\t") }) else { return "" }
    return String(line.dropFirst(field.utf8.count + 2))
}
