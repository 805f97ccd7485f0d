Console.WriteLine("sluice");
return 0;
