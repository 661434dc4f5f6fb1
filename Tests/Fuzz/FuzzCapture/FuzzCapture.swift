import CFuzzer
import Capture
import Glibc
import Linux

/// What a reader made of an input.
private struct Reading: Equatable {
    var frames: [FrameInfo] = []
    var sum: UInt64 = 0
    var error: CaptureFileError.Reason?
    var offset: UInt64 = 0

    init(_ file: consuming Descriptor) {
        do throws(CaptureFileError) {
            var reader = try CaptureReader(file, path: "input", window: 1)
            precondition(reader.bytes.byteCount == 0 && reader.frames == 0)
            while let info = try reader.next() {
                precondition(reader.bytes.byteCount <= Int(info.wireLength))
                // Touches every byte: the sanitiser sees what lies outside.
                let bytes = reader.bytes
                for place in bytes.byteOffsets {
                    sum = sum &* 31 &+ UInt64(unsafe bytes.unsafeLoad(fromByteOffset: place, as: UInt8.self))
                }
                frames.append(info)
                precondition(reader.frames == UInt64(frames.count))
            }
        } catch {
            precondition(error.frames == UInt64(frames.count))
            precondition(!error.description.isEmpty)
            self.error = error.reason
            offset = error.offset
        }
    }
}

/// Bytes of a page in front of the input, so that the input lies over the border of pages.
private let lead = 4096 - 100

/// A file without a name.
private let scratch: Int32 = {
    var path = Array("/tmp/weir-fuzz-XXXXXX".utf8CString)
    let number = unsafe mkstemp(&path)
    precondition(number >= 0)
    _ = unsafe unlink(path)
    return number
}()

/// The input as a file that is mapped.
private func mapped(_ input: UnsafeRawBufferPointer) -> Descriptor {
    precondition(ftruncate(scratch, 0) == 0)
    precondition(unsafe pwrite(scratch, input.baseAddress, input.count, lead) == input.count)
    precondition(lseek(scratch, lead, SEEK_SET) == lead)
    return Descriptor(owning: dup(scratch))
}

/// The input as a stream.
private func piped(_ input: UnsafeRawBufferPointer) -> Descriptor {
    var ends: [Int32] = [0, 0]
    precondition(unsafe pipe(&ends) == 0)
    // The input is smaller than what a pipe holds.
    precondition(unsafe write(ends[1], input.baseAddress, input.count) == input.count)
    close(ends[1])
    return Descriptor(owning: ends[0])
}

private func check(_ input: UnsafeRawBufferPointer) {
    let stream = unsafe Reading(piped(input))
    var file = unsafe Reading(mapped(input))
    // In a file that is mapped, the offset counts from its start.
    if file.offset != stream.offset { file.offset -= UInt64(lead) }
    precondition(file == stream)
}

@c(LLVMFuzzerTestOneInput)
func testOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    unsafe check(UnsafeRawBufferPointer(start: data, count: size))
    return 0
}

/// Where the package manager looks for the executable's entry.
@c(FuzzCapture_main)
func main(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> CInt {
    var (count, arguments) = unsafe (count, arguments)
    return unsafe LLVMFuzzerRunDriver(&count, &arguments, testOneInput)
}
