import Foundation
import PackagePlugin

/// Compiles each `bpf/*.bpf.c` with the toolchain's own clang and puts the object into a generated C file.
@main
struct CompileBPF: BuildToolPlugin {
    func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
        let sources = context.package.directoryURL.appending(path: "bpf").resolvingSymlinksInPath()
        let output = context.pluginWorkDirectoryURL
        let headers =
            try files(in: sources.appending(path: "abi"), endingWith: ".h")
            + files(in: sources.appending(path: "lib"), endingWith: ".h")
        return try files(in: sources, endingWith: ".bpf.c").map { source in
            let name = source.lastPathComponent.replacing(".bpf.c", with: "")
            let object = output.appending(path: "\(name).bpf.o")
            let image = output.appending(path: "\(name)_image.c")
            return .buildCommand(
                displayName: "Compiling the kernel program \(name)",
                executable: URL(filePath: "/bin/sh"),
                arguments: [
                    "-e", "-c", Self.script,
                    try context.tool(named: "clang").url.path(), source.path(), object.path(), image.path(), name,
                ],
                inputFiles: [source] + headers,
                // The object is no output: SwiftPM would take it for a resource.
                outputFiles: [image]
            )
        }
    }

    /// $0 clang, $1 source, $2 object, $3 generated C, $4 name. The kernel's asm headers lie in a folder that Debian names
    /// after the machine. The object's checksum in the C file makes it, and so what embeds it, change with the object.
    private static let script = """
        "$0" -O2 -g -Wall -Wextra -Werror -target bpf -mcpu=v3 \
            -ffile-prefix-map="$(dirname "$1")"=bpf -I/usr/include/"$(uname -m)"-linux-gnu -c "$1" -o "$2"
        cat > "$3" <<END
        // Object $(cksum < "$2")
        #include "BPFImages.h"
        #pragma clang diagnostic ignored "-Wc23-extensions"
        static const unsigned char bytes[] __attribute__((aligned(8))) = {
        #embed "$2"
        };
        const void *bpf_image_$4(size_t *size) {
            *size = sizeof bytes;
            return bytes;
        }
        END
        """

    private func files(in directory: URL, endingWith suffix: String) throws -> [URL] {
        try FileManager.default.contentsOfDirectory(at: directory, includingPropertiesForKeys: nil)
            .filter { $0.lastPathComponent.hasSuffix(suffix) }
            .sorted { $0.path() < $1.path() }
    }
}
