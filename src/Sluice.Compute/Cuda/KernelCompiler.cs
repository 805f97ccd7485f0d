using System.Text;
using Sluice.Compute.Cuda.Interop;

namespace Sluice.Compute.Cuda;

/// <summary>Compiles one kernel source with NVRTC. Safe for several threads.</summary>
internal sealed unsafe class KernelCompiler
{
    private const int ShownLogLines = 4;

    private readonly Nvrtc _nvrtc;

    public KernelCompiler(Nvrtc nvrtc)
    {
        _nvrtc = nvrtc;
        Version = $"{nvrtc.Major}.{nvrtc.Minor}";
    }

    /// <summary>NVRTC's version, part of the key of the cache.</summary>
    public string Version { get; }

    /// <summary>A cubin, or zero-terminated PTX where the target says so; what <c>cuModuleLoadDataEx</c> takes.</summary>
    /// <exception cref="CudaException">The source does not compile: one line with the compiler's first errors.</exception>
    public byte[] Compile(KernelSource source, KernelTarget target, KernelDefines defines)
    {
        using var texts = new NativeTexts();
        byte** headers = texts.AddAll(source.Includes.Select(include => include.Text));
        byte** names = texts.AddAll(source.Includes.Select(include => include.Name));
        string[] options = target.CompilerOptions(defines);
        byte** optionTexts = texts.AddAll(options);
        string operation = $"Compiling {source.Path} for {target.Architecture} with NVRTC {Version}";
        nint program;
        Check(_nvrtc.CreateProgram(&program, texts.Add(source.Text), texts.Add(source.Path), source.Includes.Count, headers, names), operation);
        try
        {
            int result = _nvrtc.CompileProgram(program, options.Length, optionTexts);
            if (result != 0)
            {
                throw new CudaException(operation + (defines.Text.Length > 0 ? $" ({defines.Text})" : ""), _nvrtc.ErrorName(result), FirstErrors(ReadLog(program)));
            }

            return target.IsPtx ? ReadPtx(program, operation) : ReadCubin(program, operation);
        }
        finally
        {
            _ = _nvrtc.DestroyProgram(&program);
        }
    }

    /// <summary>The lines of a compiler's log that matter most, on one line.</summary>
    internal static string FirstErrors(string log)
    {
        string[] lines = log.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        string[] errors = [.. lines.Where(line => line.Contains("error", StringComparison.OrdinalIgnoreCase)).Take(ShownLogLines)];
        return string.Join(" | ", errors.Length > 0 ? errors : lines.Take(ShownLogLines));
    }

    private byte[] ReadCubin(nint program, string operation)
    {
        nuint size;
        Check(_nvrtc.GetCubinSize(program, &size), operation);
        var image = new byte[size];
        fixed (byte* bytes = image)
        {
            Check(_nvrtc.GetCubin(program, bytes), operation);
        }

        return image;
    }

    private byte[] ReadPtx(nint program, string operation)
    {
        nuint size;
        Check(_nvrtc.GetPtxSize(program, &size), operation);
        var image = new byte[size];
        fixed (byte* bytes = image)
        {
            Check(_nvrtc.GetPtx(program, bytes), operation);
        }

        return image;
    }

    private string ReadLog(nint program)
    {
        nuint size;
        if (_nvrtc.GetProgramLogSize(program, &size) != 0 || size == 0)
        {
            return "";
        }

        var log = new byte[size];
        fixed (byte* bytes = log)
        {
            return _nvrtc.GetProgramLog(program, bytes) == 0 ? Encoding.UTF8.GetString(log).TrimEnd('\0') : "";
        }
    }

    private void Check(int result, string operation)
    {
        if (result != 0)
        {
            throw new CudaException(operation, _nvrtc.ErrorName(result), _nvrtc.Path);
        }
    }
}
