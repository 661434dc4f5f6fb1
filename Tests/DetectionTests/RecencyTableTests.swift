import Packets
import Support
import Testing

@testable import Detection

@Suite struct RecencyTableTests {
    @Test func `It holds what a plain list in order of touch would hold`() {
        var random = SeededGenerator(seed: 17)
        var table = RecencyTable<Address, Int>(capacity: 50)
        var model: [(key: Address, value: Int)] = []
        for step in 0..<20_000 {
            let key = Address(ipv4: UInt32(random.next() % 120))
            let known = model.firstIndex { $0.key == key }
            #expect((table.find(key) != nil) == (known != nil))
            switch (table.find(key), known) {
            case (let place?, let known?):
                #expect(table.values[place] == model[known].value)
                if random.next() % 3 == 0 {
                    table.remove(place)
                    model.remove(at: known)
                } else {
                    table.touch(place)
                    model.append(model.remove(at: known))
                }
            default:
                if table.isFull {
                    #expect(table.oldest.map { table.keys[$0] } == model.first?.key)
                    if let oldest = table.oldest { table.remove(oldest) }
                    model.removeFirst()
                }
                table.insert(key, step)
                model.append((key, step))
            }
            #expect(table.count == model.count)
        }
        var place = table.oldest
        for entry in model {
            #expect(place.map { table.keys[$0] } == entry.key)
            place = place.flatMap { table.newer(than: $0) }
        }
        #expect(place == nil)
    }

    @Test func `A sketch counts a few exactly enough, and many to a fifth`() {
        var random = SeededGenerator(seed: 4)
        for count in [1, 5, 6, 15, 50, 500, 5_000, 60_000] {
            var worst = 0.0
            for _ in 0..<20 {
                var sketch = ScanSketch()
                for _ in 0..<count { sketch.add(random.next()) }
                worst = max(worst, abs(sketch.estimate / Double(count) - 1))
            }
            #expect(worst < (count < 7 ? 0.35 : 0.3), "\(count)")
        }
    }
}
