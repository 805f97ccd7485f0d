namespace Sluice;

/// <summary>
/// A mistake of the person who starts the program: a wrong flag, a damaged model folder, a model that does not fit.
/// The message is one line that says what is wrong, where, and what to do; the command line prints it and exits with code 2.
/// </summary>
/// <param name="message">What, where, and what to do, in one line.</param>
public sealed class UserErrorException(string message) : Exception(message);
